"""Every way to replace a program is one record, with what was really executed."""

import subprocess
from collections.abc import Callable

import pytest

from model.event import Exec, Exit, File, Flag, Layer, Open, Session
from model.text import to_bytes
from tests.agent.conftest import MakeNamedBox
from tests.agent.daemon import Daemon
from tests.agent.sight import Sight, exec_of
from tests.containers.runc import Box
from tests.containers.spec import NAMESPACES

QUIET, LOADER, SHELL = "/usr/bin/quiet", "/lib64/ld-linux-x86-64.so.2", "/bin/busybox"

# What is done, and the file that the record names.
FROM_THE_IMAGE = {
    f"execve {QUIET}": QUIET,
    f"execveat-empty {QUIET}": QUIET,
    f"exec-procfd {QUIET}": QUIET,
    f"exec-symlink {QUIET}": QUIET,
    "exec-relative /usr/bin ./quiet": QUIET,
    f"exec-vfork {QUIET}": QUIET,
    f"exec-thread {QUIET}": QUIET,
    f"exec-orphan {QUIET}": QUIET,
    f"exec-clone-parent {QUIET}": QUIET,
    f"exec-int80 {QUIET}": QUIET,
    "execve /usr/bin/quiet32": "/usr/bin/quiet32",
    "exec-loader /usr/bin/dynamic": LOADER,
    "exec-as 1000 /usr/bin/raised": "/usr/bin/raised",
}
# And where its bytes live, with what is special about it.
FROM_ELSEWHERE = {
    f"exec-dropped {QUIET} /tmp/dropped": ("/tmp/dropped", Layer.WRITABLE, Flag(0)),
    "exec-hardlink /opt/copied": ("/tmp/hard", Layer.WRITABLE, Flag(0)),
    f"exec-deleted {QUIET}": ("/tmp/deleted", Layer.WRITABLE, Flag.DELETED),
    f"exec-memfd {QUIET}": ("/memfd:program", Layer.MEMFD, Flag.DELETED),
}


def programs(agent: Sight, box: Box, is_wanted: Callable[[File], bool]) -> list[Exec]:
    """Everything executed by now that fits, in this test."""
    agent.settled(box)
    events = [record.event for record in agent.records(box, Exec)]
    return [event for event in events if isinstance(event, Exec) and is_wanted(event.file)]


@pytest.mark.parametrize(("command", "path"), FROM_THE_IMAGE.items())
def test_a_program_of_the_image_is_recorded_once_by_its_own_name(agent: Sight, plain: Box, command: str, path: str) -> None:
    plain.attack(*command.split())
    [event] = programs(agent, plain, lambda file: file.path == path)
    assert (event.file.layer, event.file.flags, event.script) == (Layer.IMAGE, Flag(0), None)
    assert event.actor.session is Session.EXEC


@pytest.mark.parametrize(("command", "expected"), FROM_ELSEWHERE.items())
def test_a_program_from_elsewhere_is_never_taken_for_one_of_the_image(
    agent: Sight, plain: Box, command: str, expected: tuple[str, Layer, Flag]
) -> None:
    plain.exec("cp", QUIET, "/opt/copied")
    plain.attack(*command.split())
    [event] = programs(agent, plain, lambda file: file.path == expected[0])
    assert (event.file.path, event.file.layer, event.file.flags) == expected


def test_a_program_that_never_had_a_name_is_known_by_its_folder(agent: Sight, plain: Box) -> None:
    plain.attack("exec-tmpfile", QUIET)
    [event] = programs(agent, plain, lambda file: file.path.startswith("/tmp/#"))
    assert (event.file.layer, event.file.flags) == (Layer.WRITABLE, Flag.DELETED)


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("execve /usr/bin/script", "/usr/bin/script"),
        ("execve /usr/bin/nested", "/usr/bin/nested"),
        ("exec-procfd /usr/bin/script", "/usr/bin/script"),
    ],
)
def test_of_a_script_both_the_interpreter_and_the_script_are_known(agent: Sight, plain: Box, command: str, script: str) -> None:
    plain.attack(*command.split())
    event = exec_of(agent, plain, SHELL, script=lambda file: file is not None)
    assert event.script is not None
    assert (event.script.path, event.script.layer) == (script, Layer.IMAGE)


def test_the_loader_names_the_program_that_it_is_given(agent: Sight, plain: Box) -> None:
    plain.attack("exec-loader", "/usr/bin/dynamic")
    assert exec_of(agent, plain, LOADER).argv == (LOADER, "/usr/bin/dynamic")


def test_the_container_is_named(agent: Sight, plain: Box) -> None:
    plain.attack("execve", QUIET)
    record = agent.sees(plain, Exec, path=QUIET)
    assert record.origin is not None
    container = record.origin.container
    assert (container.id, container.name, container.runtime) == (plain.name, plain.name, "runc")
    assert (container.cgroup, container.cgroup_path) == (plain.cgroup_id, plain.cgroup)


def test_the_process_is_the_host_s_pid_and_start_with_its_creator(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain", namespaces=tuple(kind for kind in NAMESPACES if kind != "pid"))
    [step] = box.attack("execve", QUIET)
    record = agent.sees(box, Exec, path=QUIET)
    assert record.origin is not None
    assert record.origin.process is not None
    actor, process = record.event.actor, record.origin.process  # type: ignore[union-attr]
    assert actor.pid == process.pid == step["child"]
    assert actor.creator_pid == step["pid"]
    assert (process.path, process.argv, process.started_ns) == (QUIET, (QUIET,), actor.started_ns)


@pytest.mark.parametrize("verb", ["execve", "exec-vfork", "exec-thread", "exec-orphan", "exec-clone-parent"])
def test_lineage_goes_by_who_made_a_process_whatever_its_parent(agent: Sight, plain: Box, verb: str) -> None:
    plain.exec("sh", "-c", f"/usr/bin/attack {verb} {QUIET}; :")
    record = agent.sees(plain, Exec, path=QUIET)
    assert record.origin is not None
    assert record.origin.lineage == ("/usr/bin/attack", SHELL)


def test_two_processes_of_one_pid_are_two(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("mighty", namespaces=tuple(kind for kind in NAMESPACES if kind != "pid"), capabilities=("CAP_SYS_ADMIN",))
    first, second = box.attack("pid-reuse", QUIET)
    assert first["child"] == second["child"]
    agent.settled(box)
    ids = {record.origin.process.id for record in agent.records(box, Exec, path=QUIET, pid=first["child"])}  # type: ignore[union-attr]
    assert len(ids) == 2


def test_long_arguments_are_cut_and_marked_with_their_true_length(agent: Sight, plain: Box) -> None:
    plain.attack("exec-long", "/bin/true", "200000")
    event = exec_of(agent, plain, SHELL, argv_bytes=lambda length: length > 4096)
    assert event.argv_bytes == len("/bin/true") + 1 + 200 * 1000
    assert len(b"\0".join(to_bytes(word) for word in event.argv)) == 4096


def test_hostile_arguments_are_kept_byte_for_byte(agent: Sight, plain: Box) -> None:
    plain.attack("exec-hostile", "/bin/true")
    event = exec_of(agent, plain, SHELL, argv=lambda argv: len(argv) == 7 and argv[0] == "/bin/true")
    words = [b"/bin/true", b"new\nline", b"\x1b[31mred", b"\xff\xfe\xc3(", b"", b'"quote\\', "\u202ebidi".encode()]
    assert [to_bytes(word) for word in event.argv] == words


def test_a_secret_among_the_arguments_is_never_written(agent: Sight, daemon: Daemon, plain: Box) -> None:
    plain.exec("/bin/true", "--password=correct-horse", "--token", "battery-staple", "--user=me")
    event = exec_of(agent, plain, SHELL, argv=lambda argv: argv[:1] == ("/bin/true",))
    assert event.argv[-1] == "--user=me"
    agent.settled(plain)
    written = b"".join(file.read_bytes() for file in daemon.log.iterdir())
    assert b"correct-horse" not in written
    assert b"battery-staple" not in written


def test_of_the_environment_only_names_that_load_code(agent: Sight, plain: Box) -> None:
    plain.attack("exec-environment", QUIET, "LD_PRELOAD=/x", "PYTHONPATH=/y", "HARMLESS=z")
    assert set(exec_of(agent, plain, QUIET).code_environment) == {"LD_PRELOAD", "PYTHONPATH"}


def test_the_working_folder(agent: Sight, plain: Box) -> None:
    plain.attack("exec-relative", "/usr/bin", "./quiet")
    event = exec_of(agent, plain, QUIET)
    assert (event.argv, event.cwd) == (("./quiet",), "/usr/bin")


def test_a_terminal(agent: Sight, plain: Box) -> None:
    plain.shell(QUIET)
    event = exec_of(agent, plain, QUIET)
    assert event.tty.startswith("pts")
    assert event.actor.tty


def test_who_runs_it_and_with_what_rights(agent: Sight, plain: Box) -> None:
    plain.attack("exec-as", "1000", QUIET)
    event = exec_of(agent, plain, QUIET)
    assert (event.uid, event.gid, event.actor.euid, event.capabilities) == (1000, 1000, 1000, 0)
    assert not event.setuid


def test_what_the_kernel_holds_against_it(agent: Sight, a_box: MakeNamedBox, plain: Box) -> None:
    """seccomp's modes: 0 none, 2 a filter (prctl(2))."""
    bound = a_box("bound", no_new_privileges=True, seccomp=True)
    for box, expected in ((bound, (True, 2)), (plain, (False, 0))):
        box.exec(QUIET)
        event = exec_of(agent, box, QUIET)
        assert (event.no_new_privs, event.seccomp) == expected


def test_the_user_who_logged_in_stays_with_what_he_starts(agent: Sight, plain: Box) -> None:
    """As a login by ssh notes it; then that person enters the container."""
    login = 'echo 1234 > /proc/self/loginuid && exec "$@"'
    subprocess.run(["sh", "-c", login, "sh", *plain.command_of(QUIET)], check=True, capture_output=True)
    assert exec_of(agent, plain, QUIET).login_uid == 1234


def test_what_a_process_did_before_it_executed_is_not_the_new_programs(agent: Sight, plain: Box) -> None:
    """Its open comes by another ring than its exec."""
    for number in range(20):
        plain.exec("sh", "-c", f"echo x > /tmp/before-{number}; exec {QUIET}")
    for number in range(20):
        record = agent.sees(plain, Open, path=f"/tmp/before-{number}")
        assert record.origin is not None
        assert record.origin.process is not None
        assert record.origin.process.path == SHELL


def test_a_set_user_id_program_is_marked(agent: Sight, plain: Box) -> None:
    plain.attack("exec-as", "1000", "/usr/bin/raised")
    event = exec_of(agent, plain, "/usr/bin/raised")
    assert event.setuid
    assert (event.uid, event.actor.euid) == (1000, 0)
    assert event.capabilities


def test_the_exit_has_its_code_and_duration(agent: Sight, plain: Box) -> None:
    plain.exec("sh", "-c", "sleep 0.2; exit 7")
    pid = exec_of(agent, plain, SHELL, argv=("sh", "-c", "sleep 0.2; exit 7")).actor.pid
    event = agent.sees(plain, Exit, pid=pid).event
    assert isinstance(event, Exit)
    assert (event.status, event.signal) == (7, 0)
    assert 200_000_000 <= event.duration_ns < 60_000_000_000


def test_the_exit_has_the_signal_that_ended_it(agent: Sight, plain: Box) -> None:
    plain.exec("sh", "-c", "kill -9 $$")
    pid = exec_of(agent, plain, SHELL, argv=("sh", "-c", "kill -9 $$")).actor.pid
    event = agent.sees(plain, Exit, pid=pid).event
    assert isinstance(event, Exit)
    assert event.signal == 9
