"""The programs that run, as their execs were seen: what stock-taking can't find out again, a script and the arguments.

The kernel says which processes run now, and what their program's file is (bpf/standing.bpf.c). That is always right, but of a
script it is the interpreter. So the exec of each running process is kept, and stands for it and for what it forked.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from agent.node.locate import Node
from model.event import Actor, Event, Exec, Exit, Session
from model.origin import Origin
from model.record import Record

PROGRAMS = 4096  # running processes whose exec is kept; about 1 KiB each
Process = tuple[int, int]  # pid, start
_RUNTIME = Session.RUNTIME  # an enumeration's member takes longer to look up


class Programs:
    """An output that keeps execs until their exit; the one kept longest goes first. Belongs to the loop."""

    def __init__(self, limit: int = PROGRAMS) -> None:
        self._limit = limit
        self._execs: OrderedDict[Process, Exec] = OrderedDict()
        self.evicted = 0  # of running ones: they are judged by their file alone

    def __len__(self) -> int:
        return len(self._execs)

    def write(self, record: Record) -> None:
        """Look at one record."""
        event = record.event
        if type(event) is Exec:
            if event.actor.session is not _RUNTIME:
                self._keep(event)
        elif type(event) is Exit:
            self._execs.pop((event.actor.pid, event.actor.started_ns), None)

    def _keep(self, event: Exec) -> None:
        key = (event.actor.pid, event.actor.started_ns)
        self._execs.pop(key, None)
        self._execs[key] = event
        if len(self._execs) > self._limit:
            self._execs.popitem(last=False)
            self.evicted += 1

    def seen(self, found: Exec) -> Exec:
        """What stock-taking found, with the script and the arguments of the exec behind it where that is kept."""
        actor = found.actor
        own = self._execs.get((actor.pid, actor.started_ns))
        kept = own or self._execs.get((actor.ancestor_pid, actor.ancestor_started_ns))
        if kept is None or not _is_same_program(kept.actor, actor):
            return found
        return replace(kept, actor=actor, time_ns=found.time_ns, standing=True)


def _is_same_program(one: Actor, other: Actor) -> bool:
    return one.exe == other.exe and one.container == other.container


def running(
    stock: Iterator[list[bytes]],
    decode: Callable[[bytes], Event | None],
    node: Node,
    programs: Programs,
    others: Callable[[list[bytes]], None],
) -> Iterator[tuple[Event, Origin] | None]:
    """The processes of a stock-taking, with who they are. None: a step without any. `others` gets what is new by itself."""
    for records in stock:
        for raw in records:
            event = decode(raw)
            if isinstance(event, Exec):
                yield _located(programs.seen(event), node)
            elif event is not None:
                others([raw])
        yield None


def _located(event: Exec, node: Node) -> tuple[Event, Origin] | None:
    """Without touching what is known of the process; one that isn't becomes known."""
    actor = event.actor
    container = node.containers.of(actor.container)
    if container is None:
        return None
    if node.processes.last_actor(container, actor.pid, (actor.started_ns // 1000) & 0xFFFFFFFF) is None:
        located, origin = node.locate(event)
        return None if origin is None else (located, origin)
    return event, node.processes.origin(container, actor)
