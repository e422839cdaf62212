"""What runs, as it was executed: stock-taking says that it runs, the exec says with which script."""

from msgspec.structs import replace

from agent.node.locate import Node
from agent.node.processes import Processes
from agent.programs import Programs, running
from model.event import Exec, File, Flag, Layer, Session
from model.record import Record, Where
from tests.node.builders import BOX, actor, ended, executed, opened, table

SCRIPT = File("/opt/start", Layer.IMAGE, Flag(0), 90, 6, 8, 0, 11)
SHELL = "/bin/sh"


def record(event: Exec) -> Record:
    return Record("", "", Where("agent", "boot", "node"), event)


def kept(*events: Exec, limit: int = 10) -> Programs:
    programs = Programs(limit)
    for event in events:
        programs.write(record(event))
    return programs


def script(pid: int) -> Exec:
    return replace(executed(actor(pid), SHELL, "sh", "/opt/start"), script=SCRIPT)


def standing(pid: int, by: int = 0) -> Exec:
    return replace(executed(actor(pid, by), SHELL, at=9), standing=True)


def test_a_running_script_is_the_script() -> None:
    found = kept(script(100)).seen(standing(100))
    assert (found.script, found.argv, found.standing, found.time_ns) == (SCRIPT, ("sh", "/opt/start"), True, 9)


def test_so_is_what_it_forked() -> None:
    found = kept(script(100)).seen(standing(101, by=100))
    assert (found.script, found.actor.pid) == (SCRIPT, 101)


def test_a_child_that_runs_something_else_is_what_it_runs() -> None:
    other = standing(101, by=100)
    other = replace(other, actor=replace(other.actor, exe=2))
    assert kept(script(100)).seen(other) == other


def test_what_ended_is_kept_no_longer() -> None:
    programs = kept(script(100))
    programs.write(replace(record(script(100)), event=ended(actor(100))))
    assert (len(programs), programs.seen(standing(101, by=100)).script) == (0, None)


def test_the_runtime_s_steps_are_not_kept() -> None:
    step = script(100)
    assert len(kept(replace(step, actor=replace(step.actor, session=Session.RUNTIME)))) == 0


def test_the_table_is_bounded_and_what_went_is_counted() -> None:
    programs = kept(*(script(pid) for pid in range(100, 113)))
    assert (len(programs), programs.evicted) == (10, 3)
    assert programs.seen(standing(100)).script is None


def test_of_a_stock_taking_processes_are_judged_and_the_rest_is_news() -> None:
    node = Node(table(), Processes("boot"), lambda argv: argv)
    node.tick(1)
    node.answers()
    node.locate(script(100))
    events = {b"known": standing(100), b"unknown": standing(200), b"code": opened(actor(100)), b"bad": None}
    others: list[bytes] = []
    stock = iter([[b"known", b"code"], [b"bad", b"unknown"]])
    found = list(running(stock, events.__getitem__, node, kept(script(100)), others.extend))
    told = [(event, origin.process) for event, origin in filter(None, found)]
    assert others == [b"code"]
    assert [(event.script, process and process.argv) for event, process in told] == [  # type: ignore[union-attr]
        (SCRIPT, ("sh", "/opt/start")), (None, ()),
    ]  # fmt: skip
    assert told[0][0].actor.container == BOX  # type: ignore[union-attr]
