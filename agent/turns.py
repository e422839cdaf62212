"""The loop: wait for the rings, take what came, and do now and then what time brings.

One thread; nothing in it may wait for a disk, a network or a container's files.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from agent.pipeline import Pipeline

# After a batch, for company: a turn and the writer's wake-up find cold caches and cost more than an event. Half of it is latency.
LINGER_S = 0.004
BUSY_LINGER_S = 0.04  # where records come faster than BUSY a second
BUSY = 4000
CROWD = 256  # records in a batch that need no company
WRITER_S = 0.002  # after such a batch: the log's writer has its turn, else a flood finds the log's queue full
DRAIN_S = 2.0
IDLE_S = 0.5  # how late the end is noticed
PENDING_S = 0.01  # while the log has not taken everything


class Source(Protocol):
    """Where records come from."""

    @property
    def ended(self) -> bool:
        """No more will come."""

    def poll(self, timeout_s: float) -> list[bytes]:
        """Wait, then what is there."""


@dataclass
class Timer:
    """Something that is done every `every_s` seconds, by the loop."""

    name: str
    every_s: float
    act: Callable[[], None]
    wanted: Callable[[], bool] = lambda: True  # False: there is nothing to do, and no reason to wake up
    due_s: float = field(default_factory=time.monotonic)
    failures: int = 0


class Turns:
    """Runs until it is asked to end, then drains. `failed` is told of a timer's error, which must not end the loop."""

    def __init__(
        self, source: Source, pipeline: Pipeline, timers: Sequence[Timer], failed: Callable[[str, Exception], None]
    ) -> None:
        self._source, self._pipeline, self._timers, self._failed = source, pipeline, tuple(timers), failed
        self._lingered_s = 0.0  # when it last did
        self.undrained = 0  # records that the end left no time for

    def run(self, ending: Event) -> None:
        """Turn until `ending` is set, or until a recording ends."""
        while not ending.is_set() and not self._source.ended:
            if records := self.turn():
                self._linger(records)
        self.drain()

    def _linger(self, records: int) -> None:
        now_s = time.monotonic()
        busy = records > BUSY * (now_s - self._lingered_s)
        self._lingered_s = now_s
        time.sleep(WRITER_S if records >= CROWD else BUSY_LINGER_S if busy else LINGER_S)

    def turn(self) -> int:
        """One turn; how many records came."""
        until_s = self._until_due()
        records = self._source.poll(min(PENDING_S, until_s) if self._pipeline.pending else until_s)
        self._pipeline.take(records)
        self._pipeline.settle()
        now_s = time.monotonic()
        for timer in self._timers:
            if timer.due_s <= now_s and timer.wanted():
                self._act(timer, now_s)
        return len(records)

    def drain(self, deadline_s: float = DRAIN_S) -> None:
        """What the rings still hold. What there is no time for is counted in `undrained`."""
        until_s = time.monotonic() + deadline_s
        while records := self._source.poll(0):
            if time.monotonic() > until_s:
                self.undrained += len(records)
            else:
                self._pipeline.take(records)
        self._pipeline.settle()

    def _until_due(self) -> float:
        due_s = min((timer.due_s for timer in self._timers if timer.wanted()), default=time.monotonic() + IDLE_S)
        return min(IDLE_S, max(0.0, due_s - time.monotonic()))

    def _act(self, timer: Timer, now_s: float) -> None:
        timer.due_s = now_s + timer.every_s
        try:
            timer.act()
        except Exception as error:  # noqa: BLE001 - told, counted, and tried again at its next time
            timer.failures += 1
            self._failed(timer.name, error)
