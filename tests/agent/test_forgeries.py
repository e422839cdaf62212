"""A policy allows the genuine thing, and it is allowed. What only looks like it is a violation, or another record."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from model.event import Exec, Layer, Left, Open, Session
from model.verdict import Outcome
from tests.agent.conftest import MakeNamedBox, a_name
from tests.agent.sight import Sight
from tests.containers import cgroups
from tests.containers.runc import Box
from tests.containers.spec import MIGHTY_CAPABILITIES, NAMESPACES, Mount

QUIET, GENUINE = "/usr/bin/quiet", "/usr/bin/dynamic"  # the second one is allowed, the first is not
ALLOWED, VIOLATION = Outcome.ALLOWED, Outcome.VIOLATION
FORGED = {
    "a chroot in new namespaces": (f"forge-chroot {GENUINE}", f"/tmp/jail{GENUINE}", "exec.drift"),
    "a root of its own": (f"forge-pivot {GENUINE}", f"/tmp/jail{GENUINE}", "exec.drift"),
    "a bind mount over it": (f"forge-bind {QUIET} {GENUINE}", QUIET, "exec.not_allowed"),
    "an overlay of its own": (f"forge-overlay {GENUINE}", "/dynamic", "exec.not_allowed"),
    "a tmpfs of its own": (f"forge-tmpfs {GENUINE}", "/dynamic", "exec.not_allowed"),
    "replaced by a rename": (f"forge-rename {GENUINE} {QUIET}", GENUINE, "exec.drift"),
    "replaced in place": (f"forge-in-place {GENUINE} {QUIET}", GENUINE, "exec.drift"),
    "new namespaces": (f"new-namespaces {QUIET}", QUIET, "exec.not_allowed"),
    "a double fork": (f"exec-orphan {QUIET}", QUIET, "exec.not_allowed"),
    "another parent": (f"exec-clone-parent {QUIET}", QUIET, "exec.not_allowed"),
}


@pytest.fixture
def forged(a_box: MakeNamedBox) -> Box:
    return a_box("forged")


@pytest.fixture
def on_the_host(a_box: MakeNamedBox) -> Box:
    """One that may write into the cgroups' hierarchy, and tells the host's pids."""
    hierarchy = Mount(str(cgroups.v2_root()), "/sys/fs/cgroup")
    namespaces = tuple(kind for kind in NAMESPACES if kind != "pid")
    return a_box("forged", capabilities=MIGHTY_CAPABILITIES, namespaces=namespaces, mounts=(hierarchy,))


@pytest.mark.parametrize(("command", "path", "reason"), FORGED.values(), ids=list(FORGED))
def test_a_program_that_looks_like_an_allowed_one_is_found(
    agent: Sight, forged: Box, command: str, path: str, reason: str
) -> None:
    forged.attack("execve", GENUINE)
    agent.sees(forged, Exec, path=GENUINE, layer=Layer.IMAGE, outcome=ALLOWED)
    forged.attack(*command.split())
    agent.sees(forged, Exec, path=path, outcome=VIOLATION, reason=reason)
    found = agent.finding(forged, reason, subject=path)
    assert (found.session, found.policy) == ("exec", "forged")
    assert "/rules/forged.yaml:" in found.source


def test_a_denied_file_is_found_under_any_name(agent: Sight, forged: Box) -> None:
    forged.attack("open", "/etc/benign")
    agent.sees(forged, Open, path="/etc/benign", outcome=ALLOWED)
    forged.attack("forge-bind-folder", "/etc", "/tmp/bound", "/secret")
    assert agent.finding(forged, "read.denied").subject == "/etc/secret"


def test_a_file_made_anew_with_the_old_inode_number_is_another(agent: Sight, forged: Box) -> None:
    steps = forged.attack("forge-recreate", "/opt/again")
    assert steps[-1]["reused"]
    agent.settled(forged)
    reads = [one.event for one in agent.records(forged, Open, path="/opt/again", access=1)]
    assert len(reads) == 3
    generations = {(event.file.inode, event.file.generation) for event in reads if isinstance(event, Open)}
    assert len(generations) == 3


def test_a_folder_that_was_moved_takes_no_permission_with_it(agent: Sight, forged: Box) -> None:
    forged.attack("forge-move", "/opt/allowed", "/opt/elsewhere")
    agent.sees(forged, Exec, path="/opt/allowed/sub/quiet", outcome=ALLOWED)
    agent.sees(forged, Exec, path="/opt/elsewhere/sub/quiet", outcome=VIOLATION, reason="exec.drift")


def test_the_same_inode_number_on_another_filesystem_is_another_program(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("forged", mounts=(Mount("tmpfs", "/mnt/a"), Mount("tmpfs", "/mnt/b")))
    box.exec("cp", QUIET, "/mnt/a/allowed")
    box.attack("execve", "/mnt/a/allowed")
    genuine = agent.sees(box, Exec, path="/mnt/a/allowed", outcome=ALLOWED).event
    box.attack("forge-number", "/mnt/a/allowed", "/mnt/b")
    forged = agent.sees(box, Exec, path="/mnt/b/same", outcome=VIOLATION, reason="exec.volume").event
    assert isinstance(genuine, Exec)
    assert isinstance(forged, Exec)
    assert forged.file.inode == genuine.file.inode
    assert forged.actor.exe != genuine.actor.exe


@pytest.mark.parametrize("verb", ["exec-orphan", "exec-clone-parent"])
def test_whoever_its_parent_is_a_process_keeps_who_made_it(agent: Sight, forged: Box, verb: str) -> None:
    forged.attack(verb, QUIET)
    record = agent.sees(forged, Exec, path=QUIET)
    assert record.origin is not None
    assert record.origin.lineage == ("/usr/bin/attack",)
    assert agent.finding(forged, "exec.not_allowed").lineage == ("/usr/bin/attack",)


def test_a_process_that_leaves_its_cgroup_is_found_and_stays_the_container_s(agent: Sight, on_the_host: Box) -> None:
    on_the_host.attack("join-cgroup", "/sys/fs/cgroup", QUIET)
    agent.sees(on_the_host, Left)
    assert agent.finding(on_the_host, "container.left").container == on_the_host.name
    agent.sees(on_the_host, Exec, path=QUIET, session=Session.EXEC, outcome=VIOLATION)


@pytest.mark.parametrize("verb", ["join-cgroup", "clone-into-cgroup"])
def test_a_cgroup_inside_a_container_s_is_the_container_s_whatever_its_name(
    agent: Sight, on_the_host: Box, a_box: MakeNamedBox, verb: str
) -> None:
    other = a_box("plain")
    on_the_host.attack(verb, f"/sys/fs/cgroup{on_the_host.cgroup}/{other.name}", QUIET)
    agent.sees(on_the_host, Exec, path=QUIET, outcome=VIOLATION)
    agent.settled(other)
    assert agent.records(other, Exec, path=QUIET) == []


def test_a_container_inside_a_container_is_a_part_of_it(agent: Sight, on_the_host: Box) -> None:
    nested = f"/sys/fs/cgroup{on_the_host.cgroup}/kubepods"
    on_the_host.attack("join-cgroup", nested, "/usr/bin/attack", "forge-pivot", GENUINE)
    record = agent.sees(on_the_host, Exec, path=f"/tmp/jail{GENUINE}", outcome=VIOLATION, reason="exec.drift")
    assert record.origin is not None
    assert record.origin.container.cgroup == on_the_host.cgroup_id


def test_a_child_born_in_another_container_s_cgroup_stays_its_creator_s(
    agent: Sight, on_the_host: Box, a_box: MakeNamedBox
) -> None:
    other = a_box("plain")
    on_the_host.attack("clone-into-cgroup", f"/sys/fs/cgroup{other.cgroup}", QUIET)
    agent.sees(on_the_host, Exec, path=QUIET, outcome=VIOLATION)
    agent.settled(other)
    assert agent.records(other, Exec, path=QUIET) == []


def test_a_program_of_the_host_s_is_never_one_of_the_image(agent: Sight, on_the_host: Box) -> None:
    on_the_host.attack("enter-namespace", str(os.getpid()), "/bin/busybox", "true")
    agent.sees(on_the_host, Exec, path=lambda path: path.endswith("/bin/busybox"), layer=Layer.NEW_MOUNT, outcome=VIOLATION)


@pytest.fixture
def nameless() -> Iterator[str]:
    """A cgroup that looks like docker's, and that no runtime's record claims."""
    path = f"/docker/{a_name('vedette')}"
    (cgroups.v2_root() / path[1:]).mkdir(parents=True)
    yield path
    cgroups.remove(path)
    cgroups.remove_if_empty("/docker")


def test_what_lies_below_a_runtime_s_folder_is_never_taken_for_the_host(agent: Sight, nameless: str) -> None:
    identity, members = cgroups.identity(nameless), cgroups.v2_root() / nameless[1:] / "cgroup.procs"
    enter = f"echo 0 > {members}; exec unshare --mount /bin/busybox true"
    subprocess.run(["sh", "-c", enter], check=True)
    record = agent.sees(identity, Exec, path=lambda path: path.endswith("/busybox"))
    assert agent.finding(identity, "identity.unidentified").record == record.id
    assert record.origin is not None
    assert (record.origin.container.runtime, record.origin.container.id) == ("unidentified", "")
    assert record.origin.container.cgroup_path == nameless
