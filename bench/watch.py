"""When a log grew: sampled from outside, so that a record's way from the kernel to the file can be told to a millisecond.

Each sample says how long each file was. A record was written at the latest when the file was first seen to be as long as the
record's end: latencies are a little too long, never too short.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench.tally import Line

EVERY_S = 0.001
AFTER_S = 1.0  # what is still on its way when the workload has ended


class Watch:
    """The lengths of a folder's files over time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, list[tuple[int, int]]] = {}  # length and boot time, each time it grew
        self._look()
        self._begin = {path: samples[-1][0] for path, samples in self._seen.items()}

    def until(self, done: Callable[[], bool]) -> None:
        """Look every millisecond until it is done, and a while longer."""
        until_s = time.monotonic() + AFTER_S
        while time.monotonic() < until_s:
            self._look()
            time.sleep(EVERY_S)
            if not done():
                until_s = time.monotonic() + AFTER_S

    def _look(self) -> None:
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for path in self._folder.glob("activity-*.jsonl"):
            samples, size = self._seen.setdefault(path, []), path.stat().st_size
            if not samples or samples[-1][0] < size:
                samples.append((size, now_ns))

    def latencies_s(self, kind: str, container: int) -> list[float]:
        """Of all records of this kind and container that were written while it watched, sorted."""
        return sorted(took for path in self._seen for took in self._of(path, kind, container))

    def _of(self, path: Path, kind: str, container: int) -> Iterator[float]:
        decode, samples = msgspec.json.Decoder(Line).decode, self._seen[path]
        at = self._begin.get(path, 0)
        with path.open("rb") as stream:
            stream.seek(at)
            for line in stream:
                at += len(line)
                event = decode(line).event
                index = bisect_left(samples, (at, 0))
                if event and event.kind == kind and event.actor and event.actor.container == container and index < len(samples):
                    yield (samples[index][1] - event.time_ns) / 1e9
