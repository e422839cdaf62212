"""The live table: what is a container, for how long, and what the kernel is told of it."""

import tracemalloc

import pytest

from agent.node.containers import Containers
from agent.node.oci import Decision, State
from tests.node.builders import BOX, MS, Records, S, handover, made, removed, table

POD = "/kubepods/pod1/box"


def test_a_container_is_known_when_its_cgroup_is_made() -> None:
    containers = table()
    found = containers.of(BOX)
    assert found is not None
    assert (found.cgroup, found.name, found.cgroup_path) == (BOX, "web", "/default/web")
    assert [(answer.cgroup, answer.state, answer.container) for answer in containers.answers()] == [(BOX, State.CONTAINER, found)]
    assert containers.answers() == []


def test_the_hosts_cgroups_are_told_and_not_kept() -> None:
    containers = table(path="/system.slice/cron.service", records=Records())
    assert [answer.state for answer in containers.answers()] == [State.HOST]
    assert containers.of(BOX) is None
    assert containers.state(BOX) is State.HOST
    assert len(containers) == 0


def test_a_cgroup_of_the_hosts_that_may_yet_be_claimed_is_no_live_container() -> None:
    containers = table(Records(), "/jobs/one")
    containers.tick(4 * S)
    assert [answer.state for answer in containers.answers()] == [State.HOST]
    assert containers.live() == []


def test_a_nested_cgroup_is_its_containers_whatever_it_is_called() -> None:
    containers = table(Records("/default/web", "/default/web/kubepods/pod2/other"))
    containers.take_cgroup(made("/default/web/kubepods", 78, BOX))
    containers.take_cgroup(made("/default/web/kubepods/pod2", 79, 78))
    containers.take_cgroup(made("/default/web/kubepods/pod2/other", 80, 79))
    assert {containers.of(cgroup) for cgroup in (78, 79, 80)} == {containers.of(BOX)}


def test_a_nested_cgroup_is_found_by_its_parent_where_its_path_could_not_be_read() -> None:
    containers = table()
    containers.take_cgroup(made("", 78, BOX))
    assert containers.of(78) is containers.of(BOX)


def test_a_record_that_comes_after_its_cgroup_is_found_at_the_next_try() -> None:
    records = Records()
    containers = table(records, "/jobs/one")
    assert containers.answers() == []
    assert containers.state(BOX) is State.UNDECIDED
    records.known = Records("/jobs/one").known
    due = containers.due_ns()
    assert due is not None
    assert due <= 20 * MS
    containers.tick(due)
    assert [answer.state for answer in containers.answers()] == [State.CONTAINER]


def test_the_handover_is_reason_enough_to_look_again() -> None:
    records = Records()
    containers = table(records, "/jobs/one")
    records.known = Records("/jobs/one").known
    containers.take_handover(handover(at=5 * MS))
    assert [answer.state for answer in containers.answers()] == [State.CONTAINER]


@pytest.mark.parametrize(("path", "state"), [(POD, State.UNIDENTIFIED), ("/jobs/one", State.HOST)])
def test_without_a_record_until_the_deadline_its_place_decides(path: str, state: State) -> None:
    containers = table(Records(), path)
    containers.tick(1999 * MS)
    assert containers.answers() == []
    containers.tick(2 * S)
    assert [answer.state for answer in containers.answers()] == [state]


def test_an_unidentified_container_is_one_to_the_kernel_and_nameless_to_us() -> None:
    containers = table(Records(), POD)
    containers.tick(2 * S)
    (answer,) = containers.answers()
    assert answer.in_kernel == State.CONTAINER
    assert answer.container is not None
    assert (answer.container.runtime, answer.container.id) == ("unidentified", "")


@pytest.mark.parametrize(
    ("path", "handovers", "state"),
    [(POD, 0, State.UNIDENTIFIED), ("/jobs/one", 0, State.HOST), ("/jobs/one", 1, State.UNIDENTIFIED)],
)
def test_one_that_ends_before_the_deadline_is_decided_then(path: str, handovers: int, state: State) -> None:
    containers = table(Records(), path)
    for _ in range(handovers):
        containers.take_handover(handover())
    assert containers.awaits(BOX)
    containers.take_cgroup(removed())
    assert [answer.state for answer in containers.answers()] == [state]
    assert not containers.awaits(BOX)


@pytest.mark.parametrize("path", [POD, "/jobs/one"])
def test_a_record_that_comes_after_the_deadline_still_counts(path: str) -> None:
    records = Records()
    containers = table(records, path)
    containers.tick(2 * S)
    containers.answers()
    records.known = Records(path).known
    containers.tick(7 * S)
    assert [(answer.state, answer.late) for answer in containers.answers()] == [(State.CONTAINER, True)]
    found = containers.of(BOX)
    assert found is not None
    assert found.name == path.rpartition("/")[2]


def test_what_is_never_claimed_is_not_asked_for_for_ever() -> None:
    records = Records()
    containers = table(records, POD)
    while (due := containers.due_ns()) is not None:
        containers.tick(due)
    assert len(records.asked) < 20


def test_two_claimants_are_told_and_neither_is_believed() -> None:
    records = Records()
    records.conflict = ("runc//a", "runc//b")
    (answer,) = table(records).answers()
    assert (answer.state, answer.conflict) == (State.UNIDENTIFIED, ("runc//a", "runc//b"))


def test_a_cgroup_inside_one_that_becomes_a_container_becomes_part_of_it() -> None:
    records = Records()
    containers = table(records, "/jobs/one")
    containers.take_cgroup(made("/jobs/one/init", 78, BOX))
    records.known = Records("/jobs/one").known
    containers.take_handover(handover())
    assert containers.of(78) is containers.of(BOX)
    assert containers.state(78) is State.CONTAINER


def test_an_ended_container_is_known_for_some_minutes() -> None:
    containers = table()
    containers.take_cgroup(removed(at=1 * S))
    containers.tick(300 * S)
    assert containers.of(BOX) is not None
    assert containers.live() == []
    containers.tick(301 * S)
    assert containers.forgotten() == [BOX]
    assert len(containers) == 0


def test_a_path_used_again_is_another_container() -> None:
    containers = table()
    first = containers.of(BOX)
    containers.take_cgroup(made("/default/web", 99, at=1 * S))
    second = containers.of(99)
    assert first is not None
    assert second is not None
    assert (first.cgroup, second.cgroup) == (BOX, 99)
    assert containers.live() == [second], "the first one's removal was not seen"


def test_when_it_is_full_the_longest_ended_go_first_and_live_ones_stay() -> None:
    containers = Containers(Records(*(f"/default/{number}" for number in range(5))), limit=3)
    for number in range(4):
        containers.take_cgroup(made(f"/default/{number}", 10 + number))
        if number < 2:
            containers.take_cgroup(removed(10 + number, at=number))
    assert containers.forgotten() == [10]
    containers.take_cgroup(made("/default/4", 14))
    assert containers.forgotten() == [11]
    containers.take_cgroup(made("/default/5", 15))
    assert containers.refused == 1
    assert [container.cgroup for container in containers.live()] == [12, 13, 14]


def test_a_container_without_room_is_refused_once_however_often_it_is_looked_up() -> None:
    containers = Containers(Records("/default/web"), limit=1)
    containers.take_cgroup(made("/default/web"))
    containers.take_cgroup(made("/default/two", 78))
    for cgroup in (78, 79) * 50:
        assert containers.of(cgroup) is not None
    assert containers.refused == 2


def test_a_cgroup_whose_making_was_not_seen_is_looked_for_by_its_id() -> None:
    containers = Containers(Records("/default/web"), path_of={BOX: "/default/web", 5: "/system.slice/cron.service"}.__getitem__)
    found = containers.of(BOX)
    assert found is not None
    assert found.name == "web"
    assert containers.of(5) is None


def test_a_cgroup_that_nobody_knows_any_more_is_unidentified_and_soon_forgotten() -> None:
    containers = Containers(Records(), keep_ns=5 * S)
    for cgroup in (5, 6):
        found = containers.of(cgroup)
        assert found is not None
        assert found.runtime == "unidentified"
    assert len(containers) == 2
    containers.tick(6 * S)
    assert len(containers) == 0


def test_one_whose_events_come_before_its_making_is_known_by_its_path_when_that_comes() -> None:
    containers = Containers(Records("/default/web"))
    assert containers.of(BOX) is not None
    containers.take_cgroup(made("/default/web"))
    containers.take_cgroup(made("/default/web/inner", 78, BOX))
    assert containers.of(BOX) is containers.of(78)
    assert [(answer.cgroup, answer.container.name) for answer in containers.answers() if answer.container] == [
        (BOX, ""),
        (BOX, "web"),
        (78, "web"),
    ]
    assert len(containers) == 1


def test_a_container_that_ran_before_us_has_no_start() -> None:
    containers = Containers(Records("/default/web"))
    containers.stock([(2, 1, "/default"), (BOX, 2, "/default/web"), (78, BOX, "/default/web/inner")], 9 * S)
    found = containers.of(78)
    assert found is not None
    assert (found.cgroup, found.started_ns) == (BOX, 0)


def test_ten_thousand_short_containers_leave_memory_flat() -> None:
    class Whatever(Records):
        def decide(self, cgroup_path: str) -> Decision:
            self.known = Records(cgroup_path).known
            self.asked.clear()
            return super().decide(cgroup_path)

    containers = Containers(Whatever(), keep_ns=60 * S, limit=512)

    def live_and_die(numbers: range) -> int:
        for number in numbers:
            containers.take_cgroup(made(f"/default/box{number}", 1000 + number, at=number * S))
            containers.take_cgroup(made(f"/default/box{number}/inner", 100_000 + number, 1000 + number, number * S))
            containers.take_cgroup(removed(100_000 + number, number * S + MS))
            containers.take_cgroup(removed(1000 + number, number * S + MS))
            containers.tick(number * S + 2 * MS)
            containers.answers()
            containers.forgotten()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = live_and_die(range(500))
        after = live_and_die(range(500, 10_000))
    finally:
        tracemalloc.stop()
    assert len(containers) <= 61
    assert after < before + 64_000
