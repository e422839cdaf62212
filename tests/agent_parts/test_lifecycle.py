"""Containers come and go: what the kernel is told of each."""

from collections.abc import Sequence
from typing import Any

from agent.held import EACH
from agent.lifecycle import Lifecycle, Nothing
from agent.node.containers import Containers
from agent.node.locate import Node
from agent.node.processes import Processes
from model.event import Event, Gap
from model.origin import Container
from tests.node.builders import BOX, MS, Records, S, actor, handover, made, opened, removed, table

POD, JOB = "/kubepods/pod1/box", "/jobs/one"


class Kernel(Nothing):
    """What the kernel was told."""

    def __init__(self) -> None:
        self.decided: dict[int, int] = {}
        self.protected: list[int] = []
        self.ended: list[int] = []

    def decide(self, cgroup: int, state: int) -> None:
        self.decided[cgroup] = state

    def protect(self, container: Container) -> None:
        self.protected.append(container.cgroup)

    def end(self, containers: Sequence[int]) -> list[Event]:
        self.ended += containers
        return [Gap(1, container, "budget", "open", 2, 0) for container in containers]


class Watch:
    """A lifecycle over one container, and what it passed on. What has no origin then is held, as the pipeline does."""

    def __init__(self, containers: Containers | None = None) -> None:
        self.kernel = Kernel()
        self.node = Node(table() if containers is None else containers, Processes("boot"), lambda argv: argv)
        self.seen: list[tuple[Event, bool]] = []
        self.nameless: list[Event] = []
        self.facts: list[dict[str, Any]] = []
        self.life = Lifecycle(self.node, self.kernel, self.see, self.facts.append)

    def see(self, event: Event, late: bool = False) -> None:
        if self.node.locate(event)[1] is None:
            self.nameless += self.life.hold(event)
        else:
            self.seen.append((event, late))

    def gaps(self, place: str) -> list[tuple[int, int]]:
        """Container and count of each."""
        return [(gap.container, gap.count) for gap, _ in self.seen if isinstance(gap, Gap) and gap.place == place]


def undecided(path: str) -> Watch:
    """A watch over a container that has no record."""
    watch = Watch(Containers(Records()))
    watch.life.notice(made(path))
    return watch


def test_under_other_policies_every_running_container_is_guarded_anew() -> None:
    watch = Watch()
    watch.life.answer()
    assert len(list(watch.life.protect())) == 1
    assert watch.kernel.protected == [BOX, BOX]


def test_what_a_container_did_before_it_had_a_name_is_judged_late_and_in_its_order() -> None:
    records = Records()
    watch = Watch(Containers(records))
    watch.node.notice(made("/default/web"))
    first, second = opened(actor(100)), opened(actor(101))
    assert watch.life.hold(first) == watch.life.hold(second) == ()
    records.known = Records("/default/web").known
    watch.life.tick(50 * MS)
    assert watch.seen == [(first, True), (second, True)]
    assert watch.facts[-1]["container"]["name"] == "web"


def test_the_last_counts_of_an_ended_container_are_read_after_its_last_events_came() -> None:
    watch = Watch()
    watch.life.answer()
    watch.life.notice(removed())
    watch.life.sweep()
    assert watch.kernel.ended == []
    watch.life.sweep()
    watch.life.sweep()
    assert watch.kernel.ended == [BOX]
    assert [event for event, _ in watch.seen] == [Gap(1, BOX, "budget", "open", 2, 0)]


def test_what_a_container_did_that_ended_before_it_had_a_name_is_told_at_its_end() -> None:
    watch = undecided(POD)
    first, second = opened(actor(100)), opened(actor(101))
    watch.see(first)
    watch.see(second)
    assert (watch.seen, watch.life.held) == ([], 2)
    watch.life.notice(removed())
    assert (watch.seen, watch.life.held) == ([(first, True), (second, True)], 0)
    assert watch.facts[-1]["container"]["cgroup_path"] == POD
    watch.see(last := opened(actor(102)))
    assert watch.seen[-1] == (last, False), "what was still on its way needs no waiting"


def test_only_where_no_runtime_handed_over_can_what_ended_be_the_hosts() -> None:
    for events, told in ((), 0), ((handover(),), 1):
        watch = undecided(JOB)
        for event in events:
            watch.life.notice(event)
        watch.see(opened(actor(100)))
        watch.life.notice(removed())
        assert (len(watch.seen), watch.nameless, watch.life.held) == (told, [], 0)


def test_a_record_that_is_there_at_the_end_still_gives_the_name() -> None:
    records = Records()
    watch = Watch(Containers(records))
    watch.life.notice(made(POD))
    watch.see(opened(actor(100)))
    records.known = Records(POD).known
    watch.life.notice(removed())
    assert watch.facts[-1]["container"]["name"] == "box"
    assert (len(watch.seen), watch.life.held) == (1, 0)


def test_one_whose_end_was_not_seen_is_told_when_its_path_is_used_again() -> None:
    watch = undecided(POD)
    watch.see(first := opened(actor(100)))
    watch.life.notice(made(POD, 78))
    assert (watch.seen, watch.life.held) == ([(first, True)], 0)


def test_what_finds_no_room_while_it_waits_is_told_unjudged_and_counted() -> None:
    watch = undecided(POD)
    for number in range(EACH + 3):
        watch.see(opened(actor(1000 + number)))
    assert [one.actor.pid for one in watch.nameless] == [1000, 1001, 1002]  # type: ignore[union-attr]
    watch.life.tick(2 * S)
    watch.life.sweep()
    watch.life.sweep()
    assert watch.gaps("agent.unjudged") == [(BOX, 3)]
    assert len(watch.seen) == EACH + 1
    assert watch.life.refused == 3


def test_a_container_for_which_the_table_has_no_room_is_told_unjudged_and_nothing_waits_for_it() -> None:
    watch = Watch(Containers(Records("/default/web"), path_of=lambda _: "/default/two", limit=1))
    watch.life.notice(made("/default/web"))
    watch.life.notice(made("/default/two", 78))
    watch.see(opened(actor(cgroup=78)))
    watch.life.sweep()
    watch.life.sweep()
    assert (len(watch.nameless), watch.seen, watch.life.held) == (2, [], 0)
    gap = watch.nameless[1]
    assert isinstance(gap, Gap)
    assert (gap.place, gap.container, gap.count) == ("agent.unjudged", 78, 1)
    assert watch.life.refused == 1, "the event; the gap is nobody's act"


def test_at_the_end_nothing_is_held() -> None:
    watch = undecided(POD)
    watch.see(first := opened(actor(100)))
    watch.life.close()
    watch.see(last := opened(actor(cgroup=79)))
    assert [event for event, _ in watch.seen] == [first, last]
    assert watch.life.held == 0
