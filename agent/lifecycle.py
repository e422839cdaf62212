"""Containers come and go: what the kernel, the held events and the findings must be told of it.

answer of the node ─► the kernel's table · its held events judged (late)      handover ─► tripwires of its policies
its cgroup is gone ─► two sweeps later: the last counts, then nothing of it is left in the kernel

An event is held only while the node still looks for its container's name, and no longer than that: the node answers at its
deadline, or when the container ends. What finds no room meanwhile, or whose container finds none in the node's table, is
written at once as a record without origin and verdict. So nothing is missing in the log, but nobody has judged it: that loss
is told as a Gap of place "agent.unjudged", with the container and how many such records there are.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import to_builtins

from agent.held import Held
from agent.node.containers import Answer
from agent.node.locate import Node
from agent.node.oci import State
from agent.outputs.stamp import boot_ns
from model.event import Cgroup, Conflict, Event, Gap, Handover
from model.origin import Container

ENDS_A_TURN = 128  # each costs two walks over the flows: the rest waits for the next turn
ENDED = 65536


class Kernel(Protocol):
    """What the kernel can be told."""

    def decide(self, cgroup: int, state: int) -> None:
        """What a cgroup is."""

    def protect(self, container: Container) -> None:
        """The tripwires of its policies, as far as its mounts are known."""

    def end(self, containers: Sequence[int]) -> list[Event]:
        """The last counts and gaps of containers; then the kernel forgets them."""

    def drop(self, cgroup: int) -> None:
        """A cgroup of the host's is gone: it has no counts."""


class Nothing:
    """There is no kernel to be told: a replay."""

    def decide(self, cgroup: int, state: int) -> None:
        """Nobody listens."""

    def protect(self, container: Container) -> None:
        """Nobody listens."""

    def end(self, containers: Sequence[int]) -> list[Event]:  # noqa: ARG002 - the recording has their counts
        """The recording has them."""
        return []

    def drop(self, cgroup: int) -> None:
        """Nobody listens."""


class Lifecycle:
    """Belongs to the loop. `see` takes an event through the pipeline; `fact` notes a decision in a recording."""

    def __init__(
        self, node: Node, kernel: Kernel, see: Callable[[Event, bool], None], fact: Callable[[dict[str, Any]], None]
    ) -> None:
        self._node, self._kernel, self._see, self._fact = node, kernel, see, fact
        self._held = Held()
        self._closing = False  # nothing is held any more
        self._unjudged: Counter[int] = Counter()  # records without a verdict since the last sweep, by container
        self.refused = 0  # records without a verdict so far
        self._swept_ns = boot_ns()
        self._ended: OrderedDict[int, int] = OrderedDict()  # container → sweeps since its end

    def notice(self, event: Event) -> None:
        """A control event."""
        self._node.notice(event)
        if isinstance(event, Cgroup | Handover):
            self.answer()
        if isinstance(event, Cgroup) and not event.alive:
            self._end(event.id)
        if isinstance(event, Handover) and (container := self._node.containers.of(event.actor.container)):
            self._kernel.protect(container)

    def _end(self, cgroup: int) -> None:
        """A container's last counts are read when the sweeps have seen them; of the host's nothing is kept."""
        if self._node.containers.state(cgroup) is State.HOST:
            self._kernel.drop(cgroup)
        elif len(self._ended) < ENDED:
            self._ended[cgroup] = 0

    def hold(self, event: Event) -> Sequence[Event]:
        """An event without an origin: kept if its container is still to be named; the host's is dropped."""
        container = _container_of(event)
        if not container:
            return (event,)  # our own: a gap that is nobody's
        containers = self._node.containers
        if containers.state(container) is State.HOST:
            return ()
        keeps = containers.awaits(container) and not self._closing
        given = self._held.hold(container, event) if keeps else (event,)
        unjudged = [_container_of(one) for one in given if type(one) is not Gap]
        self._unjudged.update(unjudged)
        self.refused += len(unjudged)
        return given

    def answer(self) -> None:
        """Pass on what the node has decided."""
        for answer in self._node.answers():
            self._fact(fact_of(answer))
            self._kernel.decide(answer.cgroup, answer.in_kernel)
            held = self._held.release(answer.cgroup)
            if answer.container is None:
                continue
            self._kernel.protect(answer.container)
            if answer.conflict:
                self._see(Conflict(boot_ns(), answer.cgroup, answer.conflict), False)  # noqa: FBT003 - as the pipeline
            for event in held:
                self._see(event, True)  # noqa: FBT003 - as the pipeline

    def tick(self, now_ns: int) -> None:
        """What time brings."""
        self._node.tick(now_ns)
        self.answer()

    @property
    def held(self) -> int:
        """Events that wait for their container's name."""
        return len(self._held)

    def sweep(self) -> None:
        """After a sweep: tell what nobody judged, and read the last counts of what ended before the one before."""
        self._tell_unjudged()
        for container in self._ended:
            self._ended[container] += 1
        due = [one for one, sweeps in self._ended.items() if sweeps > 1][:ENDS_A_TURN]
        for container in due:
            del self._ended[container]
        for event in self._kernel.end(due) if due else ():
            self._see(event, False)  # noqa: FBT003 - as the pipeline

    def _tell_unjudged(self) -> None:
        now_ns, began_ns = boot_ns(), self._swept_ns
        self._swept_ns = now_ns
        unjudged, self._unjudged = self._unjudged, Counter()
        for container, count in unjudged.items():
            self._see(Gap(now_ns, container, "agent.unjudged", "", count, began_ns), False)  # noqa: FBT003 - as the pipeline

    def protect(self) -> Iterator[None]:
        """Other policies are in force: what they deny is guarded where it already runs. Goes on with each step."""
        for container in self._node.containers.live():
            self._kernel.protect(container)
            yield

    def close(self) -> None:
        """What is held is written without a name."""
        self._node.tick(1 << 62)
        self.answer()
        self._closing = True
        for event in self._held.release_all():
            self._see(event, True)  # noqa: FBT003 - as the pipeline


def _container_of(event: Event) -> int:
    actor = getattr(event, "actor", None)
    container: int = actor.container if actor is not None else getattr(event, "container", 0)
    return container


def fact_of(answer: Answer) -> dict[str, Any]:
    """A decision as a replay needs it."""
    container = to_builtins(answer.container)
    return {"answer": answer.cgroup, "state": int(answer.state), "conflict": list(answer.conflict), "container": container}
