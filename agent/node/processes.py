"""Which process did it: (boot, pid, start) → Process, with the programs above it. A reused pid is another process.

Each container has its own share, measured in bytes, so that a fork bomb in one evicts nothing of another. A process
that ended stays for a while: its last events come after its end.
"""

from collections import OrderedDict, deque
from hashlib import blake2b

from msgspec import Struct

from model.event import Actor, Exec, Exit
from model.origin import Container, Origin, Process

LINEAGE = 8
SHARE = 1 << 20  # bytes of one container's processes, roughly
TOTAL = 24 << 20
_ENTRY = 1400  # bytes of a process without its arguments, measured
_PIECE = 64  # bytes of one argument without its text
_KEEP_NS = 60_000_000_000
_ENDED = 16384  # ended ones that wait to be forgotten, of all containers

Key = tuple[int, int]  # pid, start


class _Entry(Struct):
    process: Process
    lineage: tuple[str, ...]
    bytes: int
    origin: Origin | None = None  # the last one given out
    ended_ns: int = 0


class _Share(Struct):
    entries: OrderedDict[Key, _Entry]
    bytes: int = 0
    latest: dict[int, Key] = {}  # by pid, for counts that know only half of the start


class Processes:
    """The processes of all containers. Arguments are redacted before they come here."""

    def __init__(self, boot: str, share: int = SHARE, total: int = TOTAL, keep_ns: int = _KEEP_NS) -> None:
        self._boot = boot.encode()
        self._share, self._total, self._keep_ns = share, total, keep_ns
        self._shares: dict[int, _Share] = {}
        self._bytes = 0
        self._ended: deque[tuple[int, int, Key]] = deque()  # when, container, process
        self.evicted = 0  # of processes that had not ended

    def __len__(self) -> int:
        return sum(len(share.entries) for share in self._shares.values())

    def take_exec(self, container: int, event: Exec) -> None:
        """A process replaced its program. Of a script, the program is the interpreter."""
        self._put(container, event.actor, event.file.path, event.argv, self._above(container, event.actor))

    def take_exit(self, container: int, event: Exit) -> None:
        """A process ended; it is forgotten after a while."""
        share = self._shares.get(container)
        key = (event.actor.pid, event.actor.started_ns)
        entry = share.entries.get(key) if share else None
        if entry:
            entry.ended_ns = max(event.time_ns, 1)
            self._ended.append((event.time_ns, container, key))
            if len(self._ended) > _ENDED:
                self._bury()

    def tick(self, now_ns: int) -> None:
        """Forget what ended a while ago."""
        while self._ended and self._ended[0][0] + self._keep_ns <= now_ns:
            self._bury()

    def origin(self, container: Container, actor: Actor) -> Origin:
        """Who did it. A child that runs its creator's program is made known by that. Cached: one look-up a known process."""
        share = self._shares.get(container.cgroup)
        key = (actor.pid, actor.started_ns)
        entry = share.entries.get(key) if share else None
        if entry is None:
            entry = self._forked(container.cgroup, actor)
        else:
            share.entries.move_to_end(key)  # type: ignore[union-attr]
        origin = entry.origin
        if origin is None or origin.container is not container:
            origin = entry.origin = Origin(container, entry.process, entry.lineage)
        return origin

    def last_actor(self, container: Container, pid: int, started_low_us: int) -> Process | None:
        """The process that a flow's count names: by pid and the low 32 bits of its start in microseconds."""
        share = self._shares.get(container.cgroup)
        key = share.latest.get(pid) if share else None
        if share is None or key is None or (key[1] // 1000) & 0xFFFFFFFF != started_low_us:
            return None
        return share.entries[key].process

    def forget(self, container: int) -> None:
        """The container left the table."""
        share = self._shares.pop(container, None)
        if share:
            self._bytes -= share.bytes

    def _bury(self) -> None:
        _, container, key = self._ended.popleft()
        share = self._shares.get(container)
        entry = share.entries.get(key) if share else None
        if share and entry and entry.ended_ns:
            self._remove(share, key)

    def _above(self, container: int, actor: Actor) -> _Entry | None:
        share = self._shares.get(container)
        return share.entries.get((actor.ancestor_pid, actor.ancestor_started_ns)) if share else None

    def _forked(self, container: int, actor: Actor) -> _Entry:
        above = self._above(container, actor)
        path, argv = (above.process.path, above.process.argv) if above else ("", ())
        return self._put(container, actor, path, argv, above)

    def _put(self, container: int, actor: Actor, path: str, argv: tuple[str, ...], above: _Entry | None) -> _Entry:
        key = (actor.pid, actor.started_ns)
        parent, lineage = ("", ()) if above is None else (above.process.id, (above.process.path, *above.lineage)[:LINEAGE])
        process = Process(self._id(*key), *key, path, argv, actor.session, actor.euid, parent)
        entry = _Entry(process, lineage, _ENTRY + len(path) + sum(_PIECE + len(piece) for piece in argv))
        share = self._shares.get(container)
        if share is None:
            share = self._shares[container] = _Share(OrderedDict(), 0, {})
        self._remove(share, key)
        share.entries[key] = entry
        share.latest[actor.pid] = key
        share.bytes += entry.bytes
        self._bytes += entry.bytes
        self._shrink(share)
        return entry

    def _id(self, pid: int, started_ns: int) -> str:
        return blake2b(b"%b %d %d" % (self._boot, pid, started_ns), digest_size=12).hexdigest()

    def _shrink(self, share: _Share) -> None:
        while share.bytes > self._share and len(share.entries) > 1:
            self._evict(share)
        while self._bytes > self._total:
            largest = max(self._shares.values(), key=lambda one: one.bytes)
            if len(largest.entries) <= 1:
                return
            for _ in range(max(1, len(largest.entries) // 4)):
                self._evict(largest)

    def _evict(self, share: _Share) -> None:
        key = next(iter(share.entries))
        self.evicted += not share.entries[key].ended_ns
        self._remove(share, key)

    def _remove(self, share: _Share, key: Key) -> None:
        entry = share.entries.pop(key, None)
        if entry is None:
            return
        share.bytes -= entry.bytes
        self._bytes -= entry.bytes
        if share.latest.get(key[0]) == key:
            del share.latest[key[0]]
