"""Events get their origin: container, process, lineage, and the name that an address was looked up by."""

import time
from collections.abc import Sequence

from agent.node.locate import Node
from agent.node.lookups import Lookups
from agent.node.processes import Processes
from model.event import Event, Exec, FlowCount, Gap, Layer, Net, Session
from tests.node.builders import (
    BOX,
    PROGRAM,
    Records,
    S,
    actor,
    answered,
    connected,
    ended,
    executed,
    handover,
    made,
    mount,
    opened,
    removed,
    table,
)


def redact(argv: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("***" if piece.startswith("secret") else piece for piece in argv)


def node(records: Records | None = None, path: str = "/default/web") -> Node:
    return Node(table(records, path), Processes("boot"), redact)


def test_an_open_comes_with_container_process_and_lineage() -> None:
    here = node()
    here.locate(executed(actor(1), "/bin/sh"))
    here.locate(executed(actor(2, 1), "/usr/bin/web"))
    event, origin = here.locate(opened(actor(2, 1)))
    assert event == opened(actor(2, 1))
    assert origin is not None
    assert origin.process is not None
    assert (origin.container.name, origin.process.path, origin.lineage) == ("web", "/usr/bin/web", ("/bin/sh",))


def test_arguments_are_redacted_in_the_event_and_in_what_is_kept() -> None:
    here = node()
    event, origin = here.locate(executed(actor(1), "/bin/x", "x", "secret=1"))
    assert isinstance(event, Exec)
    assert origin is not None
    assert origin.process is not None
    assert event.argv == origin.process.argv == ("x", "***")


def test_arguments_are_redacted_also_where_the_container_is_not_known_yet() -> None:
    event, origin = node(Records(), "/jobs/one").locate(executed(actor(1), "/bin/x", "secret"))
    assert isinstance(event, Exec)
    assert (event.argv, origin) == (("***",), None)


def test_what_an_undecided_container_did_is_located_again_after_its_answer() -> None:
    records = Records()
    here = node(records, "/jobs/one")
    run = executed(actor(1), "/bin/x")
    assert here.locate(run)[1] is None
    records.known = Records("/jobs/one").known
    here.notice(handover())
    assert [answer.cgroup for answer in here.answers()] == [BOX]
    origin = here.locate(run)[1]
    assert origin is not None
    assert origin.container.name == "one"


def test_the_hosts_events_have_no_origin() -> None:
    assert node(Records(), "/system.slice/cron.service").locate(opened(actor(1)))[1] is None


def test_the_end_of_a_container_is_known_to_be_its_own() -> None:
    here = node()
    here.notice(removed())
    assert here.locate(opened(actor(1)))[1] is not None


def test_a_file_is_named_by_the_mounts_of_its_container() -> None:
    here = node()
    here.notice(mount(8, "/srv/a", "/data"))
    assert here.name(BOX, 8, Layer.VOLUME, "/srv/a/x") == ("/data/x", 0)
    assert here.name(99, 8, Layer.VOLUME, "/srv/a/x") == ("/srv/a/x", 0)


def test_a_connection_carries_the_name_that_its_container_looked_up() -> None:
    here = node()
    here.locate(answered("db.example.com", "10.1.2.3", "10.1.2.4"))
    event, _ = here.locate(connected(actor(1), "10.1.2.4"))
    assert isinstance(event, Net)
    assert event.name == "db.example.com"


def test_another_containers_look_up_names_nothing() -> None:
    here = node(Records("/default/web", "/default/other"))
    here.notice(made("/default/other", 78))
    here.locate(answered("db.example.com", "10.1.2.3", cgroup=78))
    event, _ = here.locate(connected(actor(1), "10.1.2.3"))
    assert isinstance(event, Net)
    assert event.name == ""


def test_an_old_answer_names_nothing() -> None:
    lookups = Lookups()
    lookups.take(BOX, answered("db.example.com", "10.1.2.3", ttl_s=30))
    assert lookups.name(BOX, "10.1.2.3", 90 * S) == "db.example.com"
    assert lookups.name(BOX, "10.1.2.3", 91 * S) == ""


def test_the_answers_of_a_container_are_bounded() -> None:
    lookups = Lookups(limit=8)
    for number in range(100):
        lookups.take(BOX, answered(f"n{number}", f"10.0.0.{number}"))
    assert lookups.name(BOX, "10.0.0.91", 0) == ""
    assert lookups.name(BOX, "10.0.0.92", 0) == "n92"
    assert lookups.evicted == 92


def test_a_count_says_who_did_it_last() -> None:
    here = node()
    here.locate(executed(actor(5), "/bin/sh"))
    count = FlowCount(0, b"", BOX, Session.MAIN, 3, 9, 1, 0, 0, 5, 0, "")
    origin = here.locate(count)[1]
    assert origin is not None
    assert origin.process is not None
    assert origin.process.path == "/bin/sh"


def test_a_gap_is_its_containers_or_nobodys() -> None:
    here = node()
    assert here.locate(Gap(0, 0, "ring", "", 1, 0))[1] is None
    origin = here.locate(Gap(0, BOX, "budget", "open", 1, 0))[1]
    assert origin is not None
    assert origin.process is None


def test_what_a_forgotten_container_had_is_gone() -> None:
    here = node()
    here.locate(executed(actor(1)))
    here.locate(answered("db.example.com", "10.1.2.3"))
    here.notice(removed(at=1))
    here.tick(400 * S)
    assert len(here.processes) == 0
    assert here.lookups.name(BOX, "10.1.2.3", 0) == ""


def test_an_exit_keeps_the_process_for_its_last_events() -> None:
    here = node()
    here.locate(executed(actor(1), "/bin/x"))
    here.locate(ended(actor(1)))
    origin = here.locate(opened(actor(1)))[1]
    assert origin is not None
    assert origin.process is not None
    assert origin.process.path == "/bin/x"


def test_a_known_process_costs_less_than_ten_microseconds() -> None:
    here = node()
    events = [opened(actor(pid)) for pid in range(1, 101)] * 20
    assert events[0].file is PROGRAM
    best = min(_seconds(here, events) for _ in range(5))
    assert best / len(events) < 10e-6


def _seconds(here: Node, events: Sequence[Event]) -> float:
    began = time.perf_counter()
    for event in events:
        here.locate(event)
    return time.perf_counter() - began
