"""The clock that counting goes by: the kernel's count of ticks, which costs nothing to read, held against the boot clock.

Reading the boot clock costs more than all the rest of counting a repeat on some machines. A tick is 1 to 10 ms long, which is
exact enough to say when something was last done. The programs read the real clock until the length of a tick is known.
"""

import time
from collections.abc import Callable

USUAL = (100, 250, 300, 1000)  # ticks a second that kernels are built with
SHORT_NS = 250_000_000  # over so long a time a tick more or less at each end doesn't make one of those another
LONG_NS = 4_000_000_000  # nor any number that is not among them
_SECOND_NS = 1_000_000_000
_TOLERANCE = 10  # ticks a second

Read = Callable[[], int]
Tell = Callable[[int, int], None]


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Ticks:
    """`read` gives the kernel's count of ticks; `tell` takes a tick's length and the boot time at which tick 0 ended, ns."""

    def __init__(self, read: Read, tell: Tell, now_ns: Read = _boot_ns) -> None:
        self._read, self._tell, self._now_ns = read, tell, now_ns
        self._before = (read(), now_ns())
        self._per_second = 0

    def renew(self) -> None:
        """Once a sweep: the ticks stop while the machine is suspended, the boot clock doesn't."""
        (before, before_ns), ticks, now_ns = self._before, self._read(), self._now_ns()
        passed_ns = now_ns - before_ns
        if passed_ns >= SHORT_NS and not self._per_second:
            counted = (ticks - before) * _SECOND_NS / passed_ns
            self._per_second = next((usual for usual in USUAL if abs(usual - counted) < _TOLERANCE), 0)
        if passed_ns >= LONG_NS:
            counted = round((ticks - before) * _SECOND_NS / passed_ns)
            self._per_second = max(self._per_second, counted)  # fewer were counted where it was suspended meanwhile
            self._before = (ticks, now_ns)
        if self._per_second:
            tick_ns = _SECOND_NS // self._per_second
            self._tell(tick_ns, (now_ns - (ticks - 1) * tick_ns) & (1 << 64) - 1)
