"""Which process did it, and what is above it."""

from agent.node.processes import Processes
from model.event import Session
from model.origin import Container, Origin
from tests.node.builders import BOX, S, actor, container, ended, executed

HERE = container("/default/web")
HERE = Container(BOX, HERE.cgroup_path, HERE.id, HERE.name, HERE.image, HERE.runtime)
OTHER = Container(78, "/default/other", "other", "other", "", "runc")


def chain(processes: Processes, length: int) -> Origin:
    """Each process starts the next one. Gives the last one's origin."""
    for pid in range(1, length + 1):
        processes.take_exec(BOX, executed(actor(pid, pid - 1), f"/bin/p{pid}"))
    return processes.origin(HERE, actor(length, length - 1))


def test_a_process_is_what_it_executed_last() -> None:
    processes = Processes("boot")
    processes.take_exec(BOX, executed(actor(5), "/bin/sh", "sh", "-c", "x"))
    processes.take_exec(BOX, executed(actor(5), "/bin/cat", "cat"))
    process = processes.origin(HERE, actor(5)).process
    assert process is not None
    assert (process.path, process.argv, process.pid, process.session) == ("/bin/cat", ("cat",), 5, Session.MAIN)


def test_the_lineage_is_the_programs_from_the_parent_upwards_at_most_eight() -> None:
    assert chain(Processes("boot"), 3).lineage == ("/bin/p2", "/bin/p1")
    assert chain(Processes("boot"), 12).lineage == tuple(f"/bin/p{pid}" for pid in range(11, 3, -1))


def test_the_lineage_outlives_the_parents() -> None:
    processes = Processes("boot", keep_ns=1 * S)
    chain(processes, 3)
    processes.take_exit(BOX, ended(actor(1), at=0))
    processes.take_exit(BOX, ended(actor(2, 1), at=0))
    processes.tick(5 * S)
    assert processes.origin(HERE, actor(3, 2)).lineage == ("/bin/p2", "/bin/p1")
    assert len(processes) == 1


def test_a_child_that_executed_nothing_runs_its_creators_program() -> None:
    processes = Processes("boot")
    processes.take_exec(BOX, executed(actor(5), "/bin/sh", "sh"))
    origin = processes.origin(HERE, actor(6, 5))
    parent = processes.origin(HERE, actor(5)).process
    assert origin.process is not None
    assert parent is not None
    assert (origin.process.path, origin.process.parent, origin.lineage) == ("/bin/sh", parent.id, ("/bin/sh",))


def test_a_reused_pid_is_another_process() -> None:
    processes = Processes("boot")
    first = processes.origin(HERE, actor(5)).process
    later = actor(5)
    second = processes.origin(HERE, type(later)(BOX, 5, 99, 0, 0, 0, 0, later.session, 1, 0, False, "web")).process
    other_boot = Processes("other boot").origin(HERE, actor(5)).process
    assert first is not None
    assert second is not None
    assert other_boot is not None
    assert len({first.id, second.id, other_boot.id}) == 3


def test_a_process_gets_the_same_origin_until_its_container_is_named() -> None:
    processes = Processes("boot")
    first = processes.origin(HERE, actor(5))
    assert processes.origin(HERE, actor(5)) is first
    named = Container(BOX, "/default/web", "web", "named", "", "runc")
    assert processes.origin(named, actor(5)).container is named


def test_a_fork_bomb_in_one_container_evicts_nothing_of_another() -> None:
    processes = Processes("boot", share=20_000, total=1 << 20)
    processes.take_exec(78, executed(actor(1, cgroup=78), "/bin/quiet"))
    for pid in range(2, 2000):
        processes.take_exec(BOX, executed(actor(pid), "/bin/bomb", "x" * 100))
    assert len(processes) < 16
    assert processes.evicted > 1900
    quiet = processes.origin(OTHER, actor(1, cgroup=78)).process
    assert quiet is not None
    assert quiet.path == "/bin/quiet"


def test_when_all_together_are_too_many_the_largest_container_gives_way() -> None:
    processes = Processes("boot", share=100_000, total=120_000)
    for pid in range(1, 11):
        processes.take_exec(78, executed(actor(pid, cgroup=78), "/bin/quiet"))
    for pid in range(11, 200):
        processes.take_exec(BOX, executed(actor(pid), "/bin/bomb"))
    quiet = [processes.origin(OTHER, actor(pid, cgroup=78)).process for pid in range(1, 11)]
    assert [process and process.path for process in quiet] == ["/bin/quiet"] * 10


def test_many_small_arguments_count_for_the_memory_that_they_take() -> None:
    processes = Processes("boot", share=200_000)
    for pid in range(1, 20):
        processes.take_exec(BOX, executed(actor(pid), "/bin/x", *["ab"] * 1365))
    assert len(processes) <= 2


def test_an_ended_process_is_known_for_a_while() -> None:
    processes = Processes("boot", keep_ns=60 * S)
    processes.take_exec(BOX, executed(actor(5), "/bin/sh"))
    processes.take_exit(BOX, ended(actor(5), at=1 * S))
    processes.tick(60 * S)
    process = processes.origin(HERE, actor(5)).process
    assert process is not None
    assert process.path == "/bin/sh"
    processes.tick(61 * S)
    assert len(processes) == 0


def test_a_container_that_is_forgotten_takes_its_processes_along() -> None:
    processes = Processes("boot")
    chain(processes, 5)
    processes.forget(BOX)
    assert len(processes) == 0
    assert processes._bytes == 0


def test_a_flows_last_actor_is_found_by_pid_and_half_of_its_start() -> None:
    processes = Processes("boot")
    who = actor(5)
    who = type(who)(BOX, 5, (7 << 32) * 1000 + 123_000, 0, 0, 0, 0, who.session, 1, 0, False, "web")
    processes.take_exec(BOX, executed(who, "/bin/sh"))
    found = processes.last_actor(HERE, 5, 123)
    assert found is not None
    assert found.path == "/bin/sh"
    assert processes.last_actor(HERE, 5, 124) is None
    assert processes.last_actor(HERE, 6, 123) is None
    assert processes.last_actor(OTHER, 5, 123) is None
