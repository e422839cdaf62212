"""How many a second, over the last seconds. Pure."""

from collections import deque


class Rate:
    """Counts by second of the boot clock. What comes late is counted with the newest second."""

    __slots__ = ("_seconds", "span_s")

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._seconds: deque[list[int]] = deque()

    def add(self, second: int, count: int = 1) -> None:
        """So many more in this second."""
        seconds = self._seconds
        if seconds and second <= seconds[-1][0]:
            seconds[-1][1] += count
            return
        self._forget(second)
        seconds.append([second, count])

    def per_s(self, second: int) -> float:
        """The mean of the seconds up to this one."""
        self._forget(second)
        return sum(count for _, count in self._seconds) / self.span_s

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - self.span_s:
            self._seconds.popleft()


class Rates:
    """What is counted of one container, and of all together."""

    __slots__ = ("execs", "novelty", "records", "repeats")

    def __init__(self, window_s: float, counts_s: float) -> None:
        self.records, self.novelty, self.execs = Rate(window_s), Rate(window_s), Rate(window_s)
        self.repeats = Rate(counts_s)

    def events_per_s(self, second: int) -> float:
        """Records, and the repeats that the kernel counted."""
        return self.records.per_s(second) + self.repeats.per_s(second)
