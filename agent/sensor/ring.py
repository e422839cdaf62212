"""BPF ring buffers, read by mmap: without libbpf's callback, which costs three times as much from Python.

Layout (kernel/bpf/ringbuf.c): page 0 is the consumer's position, ours to write; page 1 the producer's; then the data, which can
be mapped twice in a row. We map it once, because each mapped page counts as resident, and join the record that wraps. A record
is a header of two u32, the first the length with bit 31 = still being written, bit 30 = discarded, then the data, padded to 8.

Memory order: the kernel publishes length and producer position with release, and reuses what lies before our position. On
x86-64 loads and stores keep that order by themselves. arm64 needs an acquire behind our reads of headers and a release before
our store: an unlock and lock of a mutex is both (STLR, LDAXR). One pair a batch, not one a record.
"""

import mmap
import platform
import select
from itertools import groupby
from operator import itemgetter
from threading import Lock

from agent.sensor.source import Channel, Tap

_BUSY, _DISCARDED, _LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1
_HEADER = 8
_STRONG = {"x86_64", "i686"}


class Ring:
    """One ring buffer map. Not for two threads at once."""

    def __init__(self, descriptor: int, size: int, machine: str = "") -> None:
        page = mmap.PAGESIZE
        self.descriptor, self.size = descriptor, size
        self._mine = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._theirs = mmap.mmap(descriptor, page + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._views = [memoryview(self._mine), memoryview(self._theirs)]
        # Casts, not struct.pack_into: a position must be stored in one piece.
        self._consumed = self._views[0].cast("Q")
        self._produced = self._views[1][:8].cast("Q")
        self._lengths = self._views[1][page:].cast("I")
        self._start = page
        self._fence = None if (machine or platform.machine()) in _STRONG else _Fence()

    def fill(self) -> int:
        """Bytes that wait to be read."""
        return self._produced[0] - self._consumed[0]

    def drain(self, limit: int = 1024) -> list[bytes]:
        """Take up to `limit` records out of the ring."""
        at, end = self._consumed[0], self._produced[0]
        if at == end:
            return []
        places, at = self._whole(at, end, limit)
        if self._fence:
            self._fence()
        theirs = self._theirs
        records = [theirs[start:stop] for start, stop in places]
        if at // self.size > self._consumed[0] // self.size:
            records = [self._joined(*place) for place in places]
        if self._fence:
            self._fence()
        self._consumed[0] = at
        return records

    def _whole(self, at: int, end: int, limit: int) -> tuple[list[tuple[int, int]], int]:
        """Where the finished records lie, and the position behind the last one."""
        places: list[tuple[int, int]] = []
        lengths, mask, start = self._lengths, self.size - 1, self._start + _HEADER
        while at < end and len(places) < limit:
            offset = at & mask
            length = lengths[offset >> 2]
            if length & _BUSY:
                break
            size = length & _LENGTH
            if not length & _DISCARDED:
                places.append((start + offset, start + offset + size))
            at += (size + _HEADER + 7) & ~7
        return places, at

    def _joined(self, start: int, stop: int) -> bytes:
        """A record that may wrap."""
        end, first = self._start + self.size, self._start
        whole: bytes = self._theirs[start : min(stop, end)]
        return whole + self._theirs[first + max(0, start - end) : first + max(0, stop - end)]

    def close(self) -> None:
        """Unmap. The descriptor is its owner's."""
        for view in (self._consumed, self._produced, self._lengths, *self._views):
            view.release()
        self._mine.close()
        self._theirs.close()


class _Fence:
    """A full barrier out of a mutex."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def __call__(self) -> None:
        self._lock.release()
        self._lock.acquire()


def _time(came: tuple[Channel, bytes]) -> int:
    return int.from_bytes(came[1][:8], "little")  # struct event begins with it


class Rings:
    """Several rings as one Source. Of the same time, in the order given: what is urgent first."""

    ended = False

    def __init__(self, rings: dict[Channel, Ring], tap: Tap | None = None, limit: int = 2048) -> None:
        self._rings = rings
        self._tap = tap
        self._limit = limit
        self._epoll = select.epoll(len(rings))
        for ring in rings.values():
            self._epoll.register(ring.descriptor, select.EPOLLIN)

    def fileno(self) -> int:
        """An epoll descriptor, readable while a ring holds records."""
        return self._epoll.fileno()

    def fill(self) -> dict[str, float]:
        """How full each ring is, 0 to 1."""
        return {channel.name.lower(): ring.fill() / ring.size for channel, ring in self._rings.items()}

    def poll(self, timeout_s: float) -> list[bytes]:
        """As Source.poll. The kernel wakes us only for a ring that was read to its end: so drain before waiting."""
        return self._drained() or (self._drained() if self._epoll.poll(timeout_s) else [])

    def _drained(self) -> list[bytes]:
        """By the time of each: a process must not be taken for the program that it executed a moment after its open."""
        came = [(channel, record) for channel, ring in self._rings.items() for record in ring.drain(self._limit)]
        came.sort(key=_time)
        if self._tap:
            for channel, records in groupby(came, itemgetter(0)):
                self._tap(channel, [record for _, record in records])
        return [record for _, record in came]

    def close(self) -> None:
        """Unmap the rings."""
        self._epoll.close()
        for ring in self._rings.values():
            ring.close()
