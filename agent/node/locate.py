"""Who did it: events in, events with their origin out. Belongs to the loop; nothing in here waits or reads a clock.

- `notice` what makes the tables (a cgroup, a handover, a mount) before `locate`
- `name` is for the decoder: a file's path as its container names it
- `locate` gives the event and its origin
- `answers` are to be told to the kernel
"""

from collections.abc import Callable

from msgspec.structs import replace

from agent.node.containers import Answer, Containers
from agent.node.lookups import Lookups
from agent.node.oci import State
from agent.node.processes import Processes
from model.event import Cgroup, Conflict, Dns, Event, Exec, Exit, FlowCount, Gap, Handover, Layer, Mount, Net, Program
from model.origin import Origin

Redact = Callable[[tuple[str, ...]], tuple[str, ...]]
_UNDECIDED = State.UNDECIDED


class Node:
    """Containers, processes and names of this host. `redact` takes secrets out of arguments."""

    def __init__(self, containers: Containers, processes: Processes, redact: Redact, lookups: Lookups | None = None) -> None:
        self.containers = containers
        self.processes = processes
        self.lookups = lookups or Lookups()
        self._redact = redact
        self._of, self._state = containers.of, containers.state

    def notice(self, event: Event) -> None:
        """Take what makes the tables. Other events change nothing here."""
        match event:
            case Cgroup():
                self.containers.take_cgroup(event)
            case Handover():
                self.containers.take_handover(event)
            case Mount():
                self.containers.take_mount(event)
            case _:
                pass

    def name(self, container: int, device: int, layer: Layer, text: str) -> tuple[str, int]:
        """A file's path as its container names it, and bits of Flag. The decoder's namer: no second look at the event."""
        return self.containers.name(container, device, layer, text)

    def locate(self, event: Event) -> tuple[Event, Origin | None]:
        """The event with redacted arguments and the peer's name, and who did it.

        No origin: the host's own, or a cgroup that is not decided yet (`containers.state` tells which): locate it again
        after its answer. A known process costs three look-ups.
        """
        kind = type(event)
        if (
            kind is FlowCount
            or kind is Dns
            or kind is Gap
            or kind is Program
            or kind is Conflict
            or kind is Cgroup
            or kind is Mount
        ):
            return event, self._without_process(event)
        actor = event.actor  # type: ignore[union-attr]
        container = self._of(actor.container)
        if container is None:
            return self._redacted(event), None
        cgroup = container.cgroup
        if kind is Exec:
            event = self._redacted(event)
            self.processes.take_exec(cgroup, event)  # type: ignore[arg-type]
        elif kind is Net and event.name == "":  # type: ignore[union-attr]
            event = self._with_name(event, cgroup)  # type: ignore[arg-type]
        origin = self.processes.origin(container, actor)
        if kind is Exit:
            self.processes.take_exit(cgroup, event)  # type: ignore[arg-type]
        return event, None if self._state(actor.container) is _UNDECIDED else origin

    def answers(self) -> list[Answer]:
        """The decisions since the last call."""
        return self.containers.answers()

    def tick(self, now_ns: int) -> None:
        """What time brings: looking up again, forgetting."""
        self.containers.tick(now_ns)
        self.processes.tick(now_ns)
        for container in self.containers.forgotten():
            self.processes.forget(container)
            self.lookups.forget(container)

    def _redacted(self, event: Event) -> Event:
        if type(event) is not Exec:
            return event
        argv = self._redact(event.argv)
        return event if argv == event.argv else replace(event, argv=argv)

    def _with_name(self, event: Net, cgroup: int) -> Net:
        name = self.lookups.name(cgroup, event.address, event.time_ns)
        return replace(event, name=name) if name else event

    def _without_process(self, event: Event) -> Origin | None:
        if type(event) is Cgroup:
            return None
        cgroup = event.container  # type: ignore[union-attr]
        container = self._of(cgroup)
        if container is None:
            return None
        if type(event) is Dns:
            self.lookups.take(container.cgroup, event)
        if type(event) is FlowCount:
            return Origin(container, self.processes.last_actor(container, event.last_pid, event.last_started_ns))
        return None if self._state(cgroup) is _UNDECIDED else Origin(container, None)
