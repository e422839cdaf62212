"""What the agent itself could not take in, as gaps: each event that failed is told once, by the place where it failed."""

from collections.abc import Callable, Mapping

from agent.outputs.stamp import boot_ns
from model.event import Gap


class Failures:
    """`counts`: by place, how many there were so far. They only grow."""

    def __init__(self, counts: Mapping[str, Callable[[], int]]) -> None:
        self._counts = counts
        self._told = dict.fromkeys(counts, 0)
        self._read_ns = boot_ns()

    def read(self) -> list[Gap]:
        """What failed since the last call."""
        now_ns, began_ns = boot_ns(), self._read_ns
        self._read_ns = now_ns
        before, self._told = self._told, {place: count() for place, count in self._counts.items()}
        new = {place: count - before[place] for place, count in self._told.items()}
        return [Gap(now_ns, 0, place, "", count, began_ns) for place, count in new.items() if count]
