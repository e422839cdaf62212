"""What is said of containers, from records alone."""

import pytest
from msgspec import structs

from agent.top.snapshot import Agent, Listed, Row
from agent.top.view import View
from model.event import Access, Change, Direction, Gap, Operation, Session
from model.origin import Origin
from tests.outputs import builders
from tests.outputs.builders import SECOND_NS, T0, violation
from tests.top.builders import DB, WEB, counted, exec_, exit_, finding, gap, net, open_, origin, process, record

NOW = T0 + SECOND_NS
RUNNING = Agent(running=True, ready=True, containers=(Listed(WEB.cgroup_path, "id", "web"), Listed(DB.cgroup_path, "id", "db")))
MAIN = process("main", "/usr/sbin/nginx", pid=10)
SHELL = process("sh", "/bin/sh", "main", pid=11, session=Session.EXEC, argv=("sh", "-c", "id"))
CAT = process("cat", "/bin/cat", "sh", pid=12)


def view(*entries: object, **more: int) -> View:
    made = View(10.0, 60.0, **more)
    for entry in entries:
        made.see(entry)  # type: ignore[arg-type]
    return made


def row(of: View, name: str = "web", now_ns: int = NOW, agent: Agent = RUNNING) -> Row:
    shown = of.snapshot(now_ns, "", agent)
    return next(one for one in (*shown.containers, shown.total) if one.name == name)


def test_rates_are_means_over_the_window() -> None:
    seen = view(*(open_(f"/{number}") for number in range(20)), exec_(MAIN))
    assert (row(seen).events_per_s, row(seen).novelty_per_s, row(seen).execs_per_s) == (2.1, 2.0, 0.1)
    assert row(seen, now_ns=T0 + 11 * SECOND_NS).events_per_s == 0


def test_what_the_kernel_counted_is_an_event_but_nothing_new_and_is_spread_over_the_time_between_two_tellings() -> None:
    seen = view(open_(), counted(5999))
    assert row(seen).events_per_s == pytest.approx(0.1 + 5999 / 60, abs=0.01)
    assert row(seen).novelty_per_s == 0.1


def test_what_the_agent_found_at_its_start_did_not_happen_now() -> None:
    standing = structs.replace(builders.exec_("/usr/sbin/nginx"), standing=True)
    seen = view(record(standing, Origin(WEB, MAIN)))
    assert row(seen).execs_per_s == 0
    assert tree(seen) == [(0, "/usr/sbin/nginx", False)]


def test_a_gap_is_no_event_it_is_a_loss_of_its_container() -> None:
    seen = view(gap(3, of=Origin(WEB, None)), gap(4, of=Origin(WEB, None)))
    assert (row(seen).lost, row(seen).events_per_s) == (7, 0)
    assert not row(seen).lost_unknown
    shown = seen.snapshot(NOW, "", RUNNING)
    assert shown.losses[0].endswith("4 exec events of web (ring.urgent)")


def test_a_loss_of_unknown_size_is_not_nothing() -> None:
    seen = view(record(Gap(T0, 0, "agent.down", "", -1, T0)))
    assert row(seen, "total").lost_unknown
    assert seen.snapshot(NOW, "", RUNNING).losses[0].endswith("an unknown number of events (agent.down)")


def test_what_its_flow_s_count_holds_already_is_no_loss() -> None:
    assert row(view(gap(3, "budget.unsent", of=Origin(WEB, None)), open_())).lost == 0


def test_findings_are_the_different_ones_and_the_newest_gives_its_reason() -> None:
    bad = open_()
    seen = view(bad, finding(bad), finding(bad, count=70), finding(bad, "read.denied"))
    assert (row(seen).findings, row(seen).last_reason) == (2, "read.denied")
    assert row(seen, "total").findings == 2


def test_a_finding_belongs_to_the_container_of_its_record_whatever_others_are_called() -> None:
    twin = structs.replace(DB, name="web")
    bad = structs.replace(open_(), verdict=violation())
    seen = view(bad, open_(of=origin(twin)), finding(bad))
    rows = {one.key: one.findings for one in seen.snapshot(NOW, "", RUNNING).containers}
    assert rows == {WEB.cgroup_path: 1, DB.cgroup_path: 0}


def test_a_finding_whose_record_is_long_ago_goes_by_its_container_s_name() -> None:
    assert row(view(open_(), finding(open_()))).findings == 1


def test_peers_are_the_different_ones_of_the_last_minutes() -> None:
    seen = view(net("192.0.2.1"), net("192.0.2.1"), net("192.0.2.2"), net("192.0.2.3", result=111))
    assert row(seen).peers == 2
    assert row(seen, now_ns=T0 + 301 * SECOND_NS).peers == 0


def test_a_peer_that_is_connected_with_again_and_again_stays_one_by_the_kernel_s_count() -> None:
    seen = view(net("192.0.2.1", flow=b"p" * 40), counted(7, T0 + 290 * SECOND_NS, b"p" * 40))
    assert row(seen, now_ns=T0 + 400 * SECOND_NS).peers == 1
    assert seen.detail(WEB.cgroup_path, NOW, RUNNING).peers[0].count == 7  # type: ignore[union-attr]


def test_who_talks_with_more_peers_than_are_kept_has_at_least_so_many() -> None:
    seen = view(*(net(f"198.51.100.{number}", flow=bytes([number]) * 40) for number in range(150)))
    assert (row(seen).peers, row(seen).peers_more) == (100, True)
    assert not row(seen, now_ns=T0 + 400 * SECOND_NS).peers_more


def test_a_listening_port_is_told_but_is_no_peer() -> None:
    listening = structs.replace(builders.net("0.0.0.0", 80), direction=Direction.LISTEN)  # noqa: S104 - an example
    seen = view(record(listening))
    assert row(seen).peers == 0
    assert seen.detail(WEB.cgroup_path, NOW, RUNNING).peers[0].direction == "listen"  # type: ignore[union-attr]


def test_a_running_container_that_did_nothing_has_a_line_too() -> None:
    assert row(view(open_()), "db").events_per_s == 0
    assert view().detail(DB.cgroup_path, NOW, RUNNING) is not None


def test_a_container_that_ended_is_shown_as_that_for_a_while_and_then_forgotten() -> None:
    nobody = Agent(running=True, ready=True)
    assert row(view(open_()), agent=nobody).running
    assert not row(view(open_()), now_ns=T0 + 20 * SECOND_NS, agent=nobody).running
    assert view(open_()).snapshot(T0 + 61 * SECOND_NS, "", nobody).containers == ()


def test_a_cgroup_made_anew_at_the_same_path_is_another_container() -> None:
    again = structs.replace(WEB, cgroup=1234)
    seen = view(*(open_(f"/{number}") for number in range(20)), open_(of=origin(again)))
    assert row(seen).events_per_s == 0.1


def test_a_container_that_gets_its_name_late_is_called_so_from_then_on() -> None:
    early = structs.replace(WEB, id="", name="", image="", runtime="unidentified")
    seen = view(open_(of=origin(early)), open_())
    assert (row(seen).name, row(seen).image, row(seen).events_per_s) == ("web", "docker.io/library/nginx:1.27", 0.2)
    assert row(view(open_(of=origin(early))), WEB.cgroup_path).events_per_s == 0.1


def test_what_nobody_can_name_has_a_line_by_its_cgroup() -> None:
    unnamed = structs.replace(open_(), origin=None)
    assert row(view(unnamed), "cgroup 99").events_per_s == 0.1


def test_containers_are_bounded_the_quietest_gives_way_and_the_total_still_has_it() -> None:
    many = [structs.replace(WEB, name=f"c{number}", cgroup_path=f"/{number}", cgroup=number) for number in range(5)]
    seen = view(*(open_(of=origin(one)) for one in many), limit=3)
    shown = seen.snapshot(NOW, "", Agent())
    assert [one.name for one in shown.containers] == ["c2", "c3", "c4"]
    assert (shown.left_out, shown.total.events_per_s) == (2, 0.5)


def tree(seen: View, now_ns: int = NOW) -> list[tuple[int, str, bool]]:
    detail = seen.detail(WEB.cgroup_path, now_ns, RUNNING)
    assert detail is not None
    return [(one.depth, one.program, bool(one.ended_ns)) for one in detail.processes]


def test_processes_stand_below_who_started_them() -> None:
    assert tree(view(exec_(CAT), exec_(SHELL), exec_(MAIN))) == [
        (0, "/usr/sbin/nginx", False),
        (1, "/bin/sh", False),
        (2, "/bin/cat", False),
    ]


def test_a_process_is_known_by_whatever_it_does_not_only_by_its_exec() -> None:
    assert tree(view(open_(of=origin(by=MAIN)))) == [(0, "/usr/sbin/nginx", False)]


def test_one_that_replaces_its_program_is_the_same_process_with_another_program() -> None:
    assert tree(view(exec_(SHELL), exec_(structs.replace(SHELL, path="/bin/id")))) == [(0, "/bin/id", False)]


def test_an_ended_process_is_shown_for_half_a_minute_and_says_how_it_ended() -> None:
    seen = view(exec_(MAIN), exec_(SHELL), exit_(SHELL, signal=9))
    assert tree(seen) == [(0, "/usr/sbin/nginx", False), (1, "/bin/sh", True)]
    detail = seen.detail(WEB.cgroup_path, NOW, RUNNING)
    assert detail is not None
    assert detail.processes[1].how == "signal 9"
    assert tree(seen, T0 + 31 * SECOND_NS) == [(0, "/usr/sbin/nginx", False)]


def test_an_ended_one_stays_while_something_that_it_started_runs() -> None:
    seen = view(exec_(MAIN), exec_(SHELL), exec_(CAT), exit_(SHELL))
    assert tree(seen, T0 + 100 * SECOND_NS)[1:] == [(1, "/bin/sh", True), (2, "/bin/cat", False)]


def test_a_count_does_not_bring_an_ended_process_back() -> None:
    seen = view(exec_(MAIN), exec_(SHELL), exit_(SHELL))
    tree(seen, T0 + 40 * SECOND_NS)
    seen.see(structs.replace(counted(3), origin=Origin(WEB, SHELL)))
    assert tree(seen, T0 + 41 * SECOND_NS) == [(0, "/usr/sbin/nginx", False)]


def test_processes_that_the_next_agent_does_not_find_have_ended_while_nobody_watched() -> None:
    down = T0 + 10 * SECOND_NS
    seen = view(exec_(MAIN), exec_(SHELL), record(Gap(down, 0, "agent.down", "", -1, T0)), exec_(MAIN, down + 1))
    assert tree(seen, down + SECOND_NS) == [(0, "/usr/sbin/nginx", False), (1, "/bin/sh", True)]


def test_processes_are_bounded_the_ended_ones_give_way_first() -> None:
    ended = [process(f"e{number}", pid=500 + number) for number in range(3)]
    many = [process(f"p{number}", pid=1000 + number) for number in range(203)]
    seen = view(*(entry for one in ended for entry in (exec_(one), exit_(one))), *map(exec_, many))
    detail = seen.detail(WEB.cgroup_path, NOW, RUNNING)
    assert detail is not None
    assert len(detail.processes) == 200
    assert detail.processes_left_out == 3


def test_processes_that_claim_each_other_as_parents_hang_nothing() -> None:
    one, two = process("one", parent="two"), process("two", parent="one")
    assert tree(view(exec_(one), exec_(two))) == []
    assert tree(view(exec_(process("", parent="")))) == []


def test_new_files_are_those_created_linked_or_renamed_to_the_newest_first() -> None:
    read = open_("/etc/hosts")
    made = open_("/tmp/new", access=Access.WRITE | Access.CREATE)
    moved = Change(T0, builders.actor(), Operation.RENAME, builders.file("/tmp/a"), builders.file("/tmp/b"), 0, 0, b"")
    removed = structs.replace(moved, operation=Operation.UNLINK, target=None)
    detail = view(read, made, record(moved), record(removed)).detail(WEB.cgroup_path, NOW, RUNNING)
    assert detail is not None
    assert [one.words[:2] for one in detail.files] == [("rename", "/tmp/b"), ("created", "/tmp/new")]


def test_every_list_is_bounded_and_says_what_it_leaves_out() -> None:
    bad = [open_(f"/new/{number}", access=Access.CREATE) for number in range(60)]
    seen = view(*bad, *(finding(one, subject=str(number)) for number, one in enumerate(bad)))
    detail = seen.detail(WEB.cgroup_path, NOW, RUNNING)
    assert detail is not None
    assert (len(detail.findings), detail.findings_left_out) == (50, 10)
    assert (len(detail.files), detail.files_left_out) == (30, 30)
    assert row(seen).findings == 60


def test_the_same_findings_over_and_over_are_no_more_than_they_are() -> None:
    bad = open_()
    seen = view(bad, *(finding(bad, subject=str(number % 70)) for number in range(500)))
    assert (row(seen).findings, row(seen).findings_more) == (70, False)


def test_different_findings_are_told_apart_up_to_a_number() -> None:
    bad = open_()
    seen = view(bad, *(finding(bad, subject=str(number)) for number in range(1001)))
    assert (row(seen).findings, row(seen).findings_more) == (1000, True)
