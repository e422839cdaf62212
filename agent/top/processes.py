"""The processes of one container as its records name them, and the tree that they make by who started whom. Pure, bounded."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from agent.top.snapshot import Branch
from model.event import Exit
from model.origin import Process

LIMIT: Final = 200
ENDED_NS: Final = 30_000_000_000  # an ended one is shown for so long
_TEXT: Final = 160  # characters of a program's path, and of its arguments, that are kept


class _Known:
    """A process since it was first seen. What is left of it after its end is shown for a while."""

    __slots__ = ("ended_ns", "how", "process", "seen_ns")

    def __init__(self, process: Process, seen_ns: int) -> None:
        self.process, self.seen_ns = process, seen_ns
        self.ended_ns, self.how = 0, ""


class Processes:
    """At most LIMIT of them: the ended ones give way first, then those that have not done anything for longest."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: OrderedDict[str, _Known] = OrderedDict()  # the one that did something last is the last
        self.left_out = 0  # that had to give way while they ran

    def see(self, process: Process, time_ns: int) -> None:
        """It did something."""
        known = self._known.get(process.id)
        if known is None:
            self._make_room()
            self._known[process.id] = _Known(_clipped(process), time_ns)
            return
        known.seen_ns = time_ns
        if known.process.path != process.path[:_TEXT] or known.process.session is not process.session:
            known.process = _clipped(process)
        self._known.move_to_end(process.id)

    def end(self, process: Process, event: Exit) -> None:
        """It ended."""
        self.see(process, event.time_ns)
        known = self._known[process.id]
        known.ended_ns = event.time_ns
        known.how = f"signal {event.signal}" if event.signal else f"status {event.status}"

    def tree(self, now_ns: int, blind_ns: int = 0) -> tuple[Branch, ...]:
        """Each below who started it, in the order of their start.

        `blind_ns`: nobody watched just before. Those not seen since then are taken for ended: the agent takes stock at its start.
        """
        self._forget(now_ns, blind_ns)
        below: defaultdict[str | None, list[_Known]] = defaultdict(list)
        for known in sorted(self._known.values(), key=lambda one: one.process.started_ns):
            parent = known.process.parent
            below[parent if parent in self._known else None].append(known)
        return tuple(_branch(known, depth) for known, depth in _walk(below))

    def _make_room(self) -> None:
        if len(self._known) < self._limit:
            return
        ended = next((key for key, known in self._known.items() if known.ended_ns), None)
        self.left_out += ended is None
        del self._known[next(iter(self._known)) if ended is None else ended]

    def _forget(self, now_ns: int, blind_ns: int) -> None:
        """Those that ended long ago, but for the ancestors of what is shown."""
        for known in self._known.values():
            if not known.ended_ns and known.seen_ns < blind_ns:
                known.ended_ns, known.how = blind_ns, "while nobody watched"
        shown = {key for key, known in self._known.items() if not known.ended_ns or known.ended_ns > now_ns - ENDED_NS}
        kept = set(self._ancestors(shown)) | shown
        for key in self._known.keys() - kept:
            del self._known[key]

    def _ancestors(self, keys: Iterable[str]) -> Iterator[str]:
        seen: set[str] = set()
        for key in keys:
            parent = self._known[key].process.parent
            while parent in self._known and parent not in seen:
                seen.add(parent)
                yield parent
                parent = self._known[parent].process.parent


def _walk(below: dict[str | None, list[_Known]]) -> Iterator[tuple[_Known, int]]:
    """Depth first, without recursion: a chain may be as long as the table. `None` has those whose parent is not known.

    Each has one parent, so what can be reached from there is a tree, whatever the log says.
    """
    waiting = [(known, 0) for known in reversed(below.get(None, ()))]
    while waiting:
        known, depth = waiting.pop()
        yield known, depth
        waiting += [(child, depth + 1) for child in reversed(below.get(known.process.id, ()))]


def _clipped(process: Process) -> Process:
    """What is kept of it: a command line may have kilobytes."""
    argv = (" ".join(process.argv[1:65])[:_TEXT],)
    return Process(
        process.id, process.pid, process.started_ns, process.path[:_TEXT], argv, process.session, process.euid, process.parent
    )


def _branch(known: _Known, depth: int) -> Branch:
    process = known.process
    session = process.session.name.lower()
    return Branch(
        depth,
        process.pid,
        process.path,
        process.argv[0],
        session,
        process.euid,
        process.started_ns,
        known.ended_ns,
        known.how,
    )
