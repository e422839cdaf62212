"""Containers come and go: what the kernel is told of each."""

from collections.abc import Sequence
from typing import Any

from agent.lifecycle import Lifecycle, Nothing
from agent.node.containers import Containers
from agent.node.locate import Node
from agent.node.processes import Processes
from model.event import Event, Gap
from model.origin import Container
from tests.node.builders import BOX, MS, Records, actor, made, opened, removed, table


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
    """A lifecycle over one container, and what it passed on."""

    def __init__(self, containers: Containers | None = None) -> None:
        self.kernel = Kernel()
        self.node = Node(containers or table(), Processes("boot"), lambda argv: argv)
        self.seen: list[tuple[Event, bool]] = []
        self.facts: list[dict[str, Any]] = []
        self.life = Lifecycle(self.node, self.kernel, lambda event, late: self.seen.append((event, late)), self.facts.append)


def test_under_other_policies_every_running_container_is_guarded_anew() -> None:
    watch = Watch()
    watch.life.answer()
    watch.life.protect()
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
    watch.life.notice(removed())
    watch.life.sweep()
    assert watch.kernel.ended == []
    watch.life.sweep()
    watch.life.sweep()
    assert watch.kernel.ended == [BOX]
    assert [event for event, _ in watch.seen] == [Gap(1, BOX, "budget", "open", 2, 0)]
