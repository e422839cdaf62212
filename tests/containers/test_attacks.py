"""Every verb of tests/programs does what it says, with nobody watching: an attack that fails proves nothing about a watcher."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import cgroups
from tests.containers.network import Resolver
from tests.containers.runc import Box, MakeBox
from tests.containers.spec import MIGHTY_CAPABILITIES, NAMESPACES, Mount, Recipe
from tests.containers.workshop import Workshop

QUIET, DYNAMIC, PLUGIN = "/usr/bin/quiet", "/usr/bin/dynamic", "/usr/lib/plugin.so"
LOCAL = "127.0.0.1"

# What works in a box as it comes, and which none of the tests below looks at more closely.
PLAIN = (
    *(f"{verb} {QUIET}" for verb in ("execve", "execveat-empty", "exec-procfd", "exec-symlink", "exec-hardlink", "exec-deleted")),
    *(f"{verb} {QUIET}" for verb in ("exec-tmpfile", "exec-memfd", "exec-vfork", "exec-orphan", "exec-thread", "exec-int80")),
    *("execve /usr/bin/quiet32", "execve /usr/bin/script", "execve /usr/bin/nested", "exec-procfd /usr/bin/script"),
    *(f"exec-dropped {QUIET} /tmp/dropped", f"exec-loader {DYNAMIC}", "exec-hostile /bin/true", "exec-relative /usr/bin ./quiet"),
    *("exec-long /bin/true 5000", "exec-long /bin/true 200000", f"exec-environment {QUIET} LD_PRELOAD=/x PYTHONPATH=/y"),
    *(
        f"{verb} {PLUGIN}"
        for verb in ("map", "map-memfd", "map-deleted", "map-protect", "map-protect-two", "map-pkey", "map-implied")
    ),
    *(f"map-int80 {PLUGIN}", f"map-int80-old {PLUGIN}"),
    *("jit", f"map-dropped {PLUGIN} /tmp/a.so", f"preload {PLUGIN} /tmp/b.so", f"dlopen {PLUGIN}", f"dlopen-memfd {PLUGIN}"),
    *(f"{verb} /etc/secret" for verb in ("open", "openat", "openat2", "open-uring", "open-uring-async", "open-uring-direct")),
    *(f"{verb} /etc/secret rw" for verb in ("open-uring-openat2", "open-int80", "open-int80-openat")),
    *("creat /tmp/new1", "open-int80-creat /tmp/new2", "open-relative /etc secret", "open-deep /tmp 50", "open /tmp/new3 create"),
    *("open /etc/secret trunc", "open /etc/secret append", "open /etc/secret path", "open /tmp/new4 exclusive"),
    *("netlink", "raw", "packet", "socket 40 1"),
    *(
        "unix-stream /tmp/s",
        "unix-sequence /tmp/q",
        "unix-datagram /tmp/d",
        "unix-abstract hidden",
        "unix-uring /tmp/u",
        "socket-uring 17 3",
    ),
    *(
        f"udp {LOCAL} 9",
        f"udp-sendto {LOCAL} 9",
        "udp-sendmsg ::1 9",
        f"udp-sendmmsg {LOCAL} 9 127.0.0.2 9",
        f"udp-uring {LOCAL} 9",
    ),
    *(f"udp-bind {LOCAL} 5353", f"listen {LOCAL} 81", "listen :: 82", f"accept {LOCAL} 83", "accept ::1 84"),
    *("race-rename 1000 /tmp/r1 /tmp/r2", f"race-unmap 1000 {QUIET}"),
)
# In this order, each on what the last one left. They need a box that may mount.
CHANGES = (
    *("mkdir /opt/d", "rmdir /opt/d", "creat /opt/a", "rename /opt/a /opt/b", "renameat /opt/b /opt/a", "creat /opt/b"),
    *("exchange /opt/a /opt/b", "link /opt/a /opt/c", "link-tmpfile /opt/t", "symlink /opt/a /opt/s", "truncate /opt/a 7"),
    *("ftruncate /opt/a 3", "chmod /opt/a 04755", "fchmod /opt/a 0755", "fchmodat /opt/a 02755", "fchmodat2 /opt/a 0644"),
    *("chown /opt/a 1000", "fchownat /opt/a 0", "mknod /opt/null", "mkfifo /opt/fifo", "setxattr /opt/a", "removexattr /opt/a"),
    *("setcap /opt/a", "unlink /opt/b", "unlinkat /opt/c", "mount tmpfs /mnt", "umount /mnt", "mount /etc /mnt", "umount /mnt"),
    *("move-mount /etc /mnt", "umount /mnt", "fsmount hidden", "uring-mkdir /opt/ud", "uring-symlink x /opt/us"),
    *("uring-link /opt/a /opt/ul", "uring-rename /opt/ul /opt/ur", "uring-unlink /opt/ur", "int80-rename /opt/a /opt/i"),
    *("int80-chmod /opt/i 04755", "int80-unlink /opt/i"),
)
FORGERIES = (
    *("forge-chroot /etc/forged", "forge-pivot /usr/bin/dynamic", f"forge-bind {QUIET} {DYNAMIC}", f"forge-overlay {DYNAMIC}"),
    *("forge-bind-folder /etc /tmp/bound /secret", f"forge-tmpfs {DYNAMIC}", f"forge-rename {DYNAMIC} {QUIET}"),
    *(f"forge-in-place {DYNAMIC} {QUIET}", "forge-move /tmp/from /opt/to", f"new-namespaces {QUIET}"),
)
CONNECTS = ("tcp", "tcp-nonblocking", "tcp-fast-open", "tcp-mapped", "tcp-uring", "tcp-uring-async", "tcp-int80")
# Looked at by the tests that name them.
LOOKED_AT = {
    *("exec-as", "exec-clone-parent", "open-handle", "serve", "tcp-fast-open-connect", "unix-connect", "dns-udp", "dns-tcp"),
    *("forge-recreate", "forge-number", "join-cgroup", "clone-into-cgroup", "pid-reuse", "enter-namespace", "race-dup2"),
}


@pytest.fixture(scope="module")
def plain(workshop: Workshop) -> Iterator[Box]:
    with Box(workshop) as box:
        yield box


@pytest.fixture(scope="module")
def mighty(workshop: Workshop) -> Iterator[Box]:
    with Box(workshop, Recipe(capabilities=MIGHTY_CAPABILITIES)) as box:
        yield box


@pytest.fixture
def on_the_host(box: MakeBox) -> Box:
    """A box in the host's pid namespace with the cgroups' hierarchy to write in."""
    hierarchy = Mount(str(cgroups.v2_root()), "/sys/fs/cgroup")
    namespaces = tuple(kind for kind in NAMESPACES if kind != "pid")
    return box(Recipe(capabilities=MIGHTY_CAPABILITIES, namespaces=namespaces, mounts=(hierarchy,)))


@pytest.mark.parametrize("command", PLAIN)
def test_it_works_in_a_box_as_it_comes(plain: Box, command: str) -> None:
    assert plain.attack(*command.split())


def test_each_change_works(mighty: Box) -> None:
    for command in CHANGES:
        assert mighty.attack(*command.split())


@pytest.mark.parametrize("command", FORGERIES)
def test_each_forgery_runs_or_opens_what_it_forged(box: MakeBox, command: str) -> None:
    steps = box().attack(*command.split())
    assert {"open", "execve"} & {step["step"] for step in steps}


def test_a_forged_path_names_another_file_than_it_did(box: MakeBox) -> None:
    one = box()
    before = one.attack("open", DYNAMIC)[0]["inode"]
    for command in (
        f"forge-bind {QUIET} {DYNAMIC}",
        f"forge-tmpfs {DYNAMIC}",
        f"forge-overlay {DYNAMIC}",
        f"forge-pivot {DYNAMIC}",
    ):
        steps = one.attack(*command.split())
        assert [step["inode"] for step in steps if step["step"] == "open" and step["path"] == DYNAMIC] != [before]


def test_a_file_made_anew_has_the_old_inode_number(plain: Box) -> None:
    assert plain.attack("forge-recreate", "/opt/again")[-1]["reused"] > 0


def test_a_program_on_another_filesystem_has_an_allowed_one_s_inode_number(box: MakeBox) -> None:
    one = box(Recipe(mounts=(Mount("tmpfs", "/mnt/a"), Mount("tmpfs", "/mnt/b"))))
    one.exec("cp", QUIET, "/mnt/a/allowed")
    allowed = one.attack("open", "/mnt/a/allowed")[0]
    forged = one.attack("forge-number", "/mnt/a/allowed", "/mnt/b")[0]
    assert forged["inode"] == allowed["inode"]
    assert forged["device"] != allowed["device"]


def test_a_set_user_id_program_raises_its_user(plain: Box) -> None:
    plain.exec("touch", "/root/only")
    opens = ("/usr/bin/attack", "open", "/root/only")
    assert plain.exec("/usr/bin/attack", "exec-as", "1000", *opens).facts[0]["errno"] == errno.EACCES
    assert plain.attack("exec-as", "1000", "/usr/bin/raised", *opens)[0]["errno"] == 0


def test_a_child_s_parent_is_not_its_creator(plain: Box) -> None:
    creator, created = plain.attack("exec-clone-parent", QUIET)
    assert created["parent"] != creator["pid"]


def test_a_file_is_opened_by_its_handle(mighty: Box) -> None:
    mighty.exec("touch", "/dev/shm/held")
    assert mighty.attack("open-handle", "/dev/shm", "held")


def test_another_thread_swaps_the_descriptor(plain: Box) -> None:
    assert plain.attack("race-dup2", "5000", "/etc/secret", "/etc/benign")[0]["swapped"] > 0


def test_a_process_leaves_its_cgroup(on_the_host: Box) -> None:
    result = on_the_host.exec("/usr/bin/attack", "join-cgroup", "/sys/fs/cgroup", "/bin/cat", "/proc/self/cgroup")
    assert "\n0::/\n" in result.out


@pytest.mark.parametrize("verb", ["join-cgroup", "clone-into-cgroup"])
def test_a_process_runs_in_a_nested_cgroup_of_its_own(on_the_host: Box, verb: str) -> None:
    nested = f"{on_the_host.cgroup}/nested"
    result = on_the_host.exec("/usr/bin/attack", verb, f"/sys/fs/cgroup{nested}", "/bin/cat", "/proc/self/cgroup")
    assert f"\n0::{nested}\n" in result.out


def test_two_processes_have_one_pid(on_the_host: Box) -> None:
    first, second = on_the_host.attack("pid-reuse", QUIET)
    assert first["child"] == second["child"]


def test_a_process_enters_another_s_mount_namespace(on_the_host: Box, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("seen")
    verb = ("enter-namespace", str(os.getpid()), "/bin/busybox", "cat", str(tmp_path / "host"))
    assert "seen" in on_the_host.exec("/usr/bin/attack", *verb).out


@pytest.mark.parametrize("verb", CONNECTS)
def test_a_connection_is_refused_and_made(box: MakeBox, verb: str) -> None:
    one = box()
    assert one.exec("/usr/bin/attack", verb, LOCAL, "8080").facts[0]["errno"] == errno.ECONNREFUSED
    with one.popen("/usr/bin/attack", "serve", LOCAL, "8080") as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert one.attack(verb, LOCAL, "8080")[0]["port"] == 8080
        assert b'"accept"' in server.stdout.read()


def test_a_fast_open_connection_sends_with_its_first_write(box: MakeBox) -> None:
    one = box()
    with one.popen("/usr/bin/attack", "serve", LOCAL, "8080") as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert one.attack("tcp-fast-open-connect", LOCAL, "8080")[0]["step"] == "write"


def test_a_socket_of_the_host_is_reached_through_a_mount(box: MakeBox, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        assert box(Recipe(mounts=(Mount(str(tmp_path), "/mnt"),))).attack("unix-connect", "/mnt/engine.sock")


@pytest.mark.parametrize("verb", ["dns-udp", "dns-tcp"])
def test_a_name_is_looked_up(plain: Box, verb: str) -> None:
    zone = {"www.example.com": [("CNAME", "web.example.net")], "web.example.net": [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]}
    with Resolver(plain.pid, zone):
        assert plain.attack(verb, "127.0.0.53", "53", "www.example.com")[0]["answers"] == 2
        assert plain.attack(verb, "127.0.0.53", "53", "web.example.net", "28")[0]["answers"] == 1
        assert plain.attack(verb, "127.0.0.53", "53", "no.example.com")[0]["rcode"] == 3
        assert "192.0.2.1" in plain.exec("nslookup", "web.example.net").out


def test_every_verb_is_tried_here(plain: Box) -> None:
    verbs = {line.split()[0] for line in plain.exec("/usr/bin/attack", "list").out.splitlines()}
    assert verbs == {command.split()[0] for command in (*PLAIN, *CHANGES, *FORGERIES)} | set(CONNECTS) | LOOKED_AT
