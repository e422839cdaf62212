"""The clock that counting goes by: the kernel's count of ticks, which costs nothing to read, held against the boot clock.

Reading the boot clock costs more than all the rest of counting a repeat on some machines. A tick is 1 to 10 ms long, which is
exact enough to say when something was last done. The programs read the real clock until the length of a tick is known.
"""

import time
from collections.abc import Callable

USUAL = (100, 250, 300, 1000)  # ticks a second that kernels are built with; with any other the real clock stays in use
SHORT_NS = 250_000_000  # over so long a time a tick more or less at each end doesn't make one of those another
_SECOND_NS = 1_000_000_000
_TOLERANCE = 10  # ticks a second
_SURE_NS = 1_000_000  # a look that took longer was interrupted: it says too little of the ticks

Read = Callable[[], int]
Tell = Callable[[int, int], None]


def boot_ns() -> int:
    """Now, on the clock of the kernel's events."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Ticks:
    """`read` gives the kernel's count of ticks; `tell` takes a tick's length and the boot time at which tick 0 ended, ns."""

    def __init__(self, read: Read, tell: Tell, now_ns: Read = boot_ns) -> None:
        self._read, self._tell, self._now_ns = read, tell, now_ns
        self._first = self._look()
        self._tick_ns = 0

    @property
    def known(self) -> bool:
        """Whether the programs go by ticks."""
        return self._tick_ns > 0

    def renew(self) -> None:
        """Once a sweep: the ticks stop while the machine is suspended, the boot clock doesn't."""
        look = self._look()
        if look is None:
            return
        ticks, now_ns = look
        if not self._tick_ns:
            self._tick_ns = self._length(ticks, now_ns)
        if self._tick_ns:
            self._tell(self._tick_ns, (now_ns - (ticks - 1) * self._tick_ns) & (1 << 64) - 1)

    def _length(self, ticks: int, now_ns: int) -> int:
        """Of a tick, ns; 0: not known yet. A time of suspend among them gives no usual number: then it is tried anew."""
        if self._first is None or now_ns - self._first[1] < SHORT_NS:
            self._first = self._first or (ticks, now_ns)
            return 0
        before, before_ns = self._first
        self._first = (ticks, now_ns)
        counted = (ticks - before) * _SECOND_NS / (now_ns - before_ns)
        return next((_SECOND_NS // usual for usual in USUAL if abs(usual - counted) < _TOLERANCE), 0)

    def _look(self) -> tuple[int, int] | None:
        """Ticks and time of one moment."""
        before_ns, ticks, after_ns = self._now_ns(), self._read(), self._now_ns()
        return (ticks, before_ns) if after_ns - before_ns < _SURE_NS else None
