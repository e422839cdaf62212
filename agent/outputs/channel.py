"""The way of one log from the loop to its spool: a queue bounded in bytes, exact counts of what had no room in it."""

import errno
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from agent.outputs.spool import Spool

BATCH_BYTES = 1 << 20
FIRST_DELAY_S = 0.1
LAST_DELAY_S = 5.0
LOOK_S = 1.0  # so often a log that has nothing to write looks whether its file is still there


class Line(NamedTuple):
    """One record on its way."""

    position: int
    time_ns: int  # of its event; 0: its latency is not measured
    text: bytes


class Loss(Struct, frozen=True):
    """What a Gap will say."""

    what: str
    count: int
    began_ns: int


class Channel:
    """Touched by two threads: `put`, `batch`, `refuse` and `losses` under the log's lock, the rest by the writer alone."""

    def __init__(self, spool: Spool, queue_bytes: int) -> None:
        self.spool = spool
        self.limit = queue_bytes
        self.waiting_bytes = 0
        self.lost: Counter[str] = Counter()  # by kind, since the start
        self.error = ""
        self.retry_at = 0.0  # monotonic
        self._delay_s = 0.0
        self._look_at = 0.0
        self._lines: deque[Line] = deque()
        self._given: list[Line] = []
        self._untold: Counter[str] = Counter()
        self._untold_since_ns = 0

    def put(self, position: int, time_ns: int, text: bytes) -> None:
        """Queue it. The caller has seen that there is room."""
        self._lines.append(Line(position, time_ns, text))
        self.waiting_bytes += len(text)

    def refuse(self, what: str, now_ns: int, count: int = 1) -> None:
        """Count what is not written."""
        self._untold_since_ns = self._untold_since_ns if self._untold else now_ns
        self._untold[what] += count
        self.lost[what] += count

    def unwritten(self) -> int:
        """Position of the oldest record that the kernel does not have yet; 0: it has all."""
        if self._given:
            return self._given[0].position
        return self._lines[0].position if self._lines else 0

    def has_work(self, *, can_tell: bool) -> bool:
        """Something to write, or to tell, that need not wait for the disk to work again."""
        return not self.retry_at and bool(self.unwritten() or (can_tell and (self._untold or self.spool.losses)))

    def batch(self) -> None:
        """Hand the spool its next batch, if it is done with the last one."""
        if self._given or not self._lines:
            return
        room = min(BATCH_BYTES, self.spool.file_bytes)
        while self._lines and (not self._given or room >= len(self._lines[0].text)):
            line = self._lines.popleft()
            room -= len(line.text)
            self._given.append(line)
        self.spool.give([line.text for line in self._given])

    def write(self, now_s: float) -> list[Line]:
        """Write what the spool has; what is now in the kernel's hands. A failing disk is asked again later and later."""
        if now_s < self.retry_at or not (self._given or now_s >= self._look_at):
            return []
        self._look_at = now_s + LOOK_S
        try:
            self.spool.pump()
        except OSError as error:
            self.error = f"{errno.errorcode.get(error.errno or 0, type(error).__name__)}: {error}"
            self._delay_s = min(LAST_DELAY_S, self._delay_s * 2 or FIRST_DELAY_S)
            self.retry_at = now_s + self._delay_s
            return []
        self.error, self._delay_s, self.retry_at = "", 0.0, 0.0
        done, self._given = self._given, []
        self.waiting_bytes -= sum(len(line.text) for line in done)
        return done

    def losses(self, now_ns: int) -> Iterator[Loss]:
        """What is to be told, while the log works; each loss once."""
        if self.error:
            return
        untold, self._untold = self._untold, Counter()
        gone, self.spool.losses = self.spool.losses, Counter()
        yield from (Loss(what, count, self._untold_since_ns) for what, count in untold.items())
        yield from (Loss(what, count, now_ns) for what, count in gone.items() if count)

    def give_up(self, now_ns: int) -> None:
        """The end has come with records unwritten: count them as lost."""
        unwritten = len(self._given) + len(self._lines)
        if unwritten:
            self.refuse("unwritten", now_ns, unwritten)
        self._given, self.waiting_bytes = [], 0
        self._lines.clear()
