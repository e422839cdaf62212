"""The policies changed: what is remembered and what runs is judged again, in slices between the turns of the loop.

    tripwires ─► answered folders and networks ─► counts of violations so far ─► known flows ─► flows that were not kept
              ─► running processes, code and sockets ─► a note

First sights are judged by the new set from the first moment on. Until a known flow's turn comes the kernel counts it under the
old verdict; then it is told, `standing`, if the new set forbids what the old one did not. What can't be judged again is news
at its next hit. Should anything here fail, all of it is: the kernel's generation is bumped. See docs/concepts/change.md.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from agent.pipeline import is_rememberable
from agent.policies import Change
from agent.remembered import Kept, Remembered, is_violation
from model.event import Event, Exec, Load, Net
from model.origin import Container, Origin
from model.verdict import Verdict

SLICE_S = 0.02  # of a turn
BEHIND = 4096  # flows that wait for the log: it has its turn first
RESULTS: Final = {
    "same": "flows whose verdict is as it was",
    "violation": "flows that are violations now: told as standing",
    "allowed": "flows that are no violations any more",
    "news": "flows that could not be judged again: news at their next hit",
    "standing": "running processes, code and sockets that are violations now",
}

Judge = Callable[[Event, Origin], Verdict | None]


class Told(Protocol):
    """The findings: what they must know of a flow that is judged anew."""

    def begin_at(self, flow: bytes, count: int) -> None:
        """It became a violation when the kernel had counted so many."""

    def acquit(self, flow: bytes) -> None:
        """It is none any more, or another one."""


@dataclass(frozen=True)
class Parts:
    """What judging again needs. The composition root gives it."""

    judge: Judge  # by the set in force
    judge_by: Callable[[Change], Judge]  # by the set before
    container: Callable[[int], Container | None]  # as it is known now; None: not any more
    guard: Callable[[], Iterator[object]]  # tripwires, container by container
    prefixes: Callable[[], Iterator[Event | None]]  # what is answered for as a whole: counts of what was given up
    sweep: Callable[[], Iterable[Event]]  # counts of violations so far
    see: Callable[[Event], None]  # through the pipeline
    again: Callable[[Event, Origin, Verdict | None], bool]  # through what is behind the judge; False: the log had no room
    pending: Callable[[], int]  # flows that wait for the log
    count: Callable[[bytes], int | None]  # of a flow, by the kernel; None: forgotten
    known: Callable[[], Iterable[bytes]]  # all flows that the kernel only counts
    running: Callable[[], Iterator[tuple[Event, Origin] | None]]  # processes, code, sockets; None: a step without any
    forget_all: Callable[[], None]  # the kernel's generation
    now_ns: Callable[[], int]


class Done(Struct, frozen=True):
    """One change, judged."""

    change: Change
    results: dict[str, int]  # by RESULTS
    took_s: float
    failed: str = ""  # why everything is news again


class Rejudging:
    """Belongs to the loop. One change at a time: a newer one begins anew, against what was told until then."""

    def __init__(self, parts: Parts, remembered: Remembered, told: Told, done: Callable[[Done], None]) -> None:
        self._parts, self._remembered, self._told, self._done = parts, remembered, told, done
        self._work: Iterator[None] | None = None
        self._change: Change | None = None
        self._results: Counter[str] = Counter()
        self._began_s = 0.0
        self.totals: Counter[str] = Counter()  # of all changes so far, by RESULTS
        self.changes = self.failures = 0
        self.last_s = 0.0  # what the last one took

    @property
    def busy(self) -> bool:
        """Whether a change is not through yet."""
        return self._work is not None

    @property
    def can_step(self) -> bool:
        """Whether `step` has something to do now: not while the log is behind."""
        return self._work is not None and self._parts.pending() < BEHIND

    def begin(self, change: Change) -> None:
        """The set is in force. What runs is held against the set of the last change that was done."""
        if self._change is not None:
            change = replace(change, previous=self._change.previous)
        self._change, self._results, self._began_s = change, Counter(), time.monotonic()
        self._remembered.generation = change.generation
        self._work = self._all(change)

    def step(self, slice_s: float = SLICE_S) -> None:
        """A slice of it. Whatever fails ends in a kernel that has forgotten everything: slower, never wrong."""
        until_s = time.monotonic() + slice_s
        try:
            while self._work is not None and self.can_step and time.monotonic() < until_s:
                if next(self._work, self) is self:
                    self._end("")
        except Exception as error:
            self._remembered.clear()
            self._parts.forget_all()
            self._end(f"{type(error).__name__}: {error}")
            raise

    def close(self) -> None:
        """The agent ends: what is half done holds nothing of the kernel any more."""
        self._change = self._work = None

    def _end(self, failed: str) -> None:
        change, self._change, self._work = self._change, None, None
        if change is None:
            return
        self.last_s = time.monotonic() - self._began_s
        self.changes += 1
        self.failures += bool(failed)
        self._done(Done(change, {name: self._results[name] for name in RESULTS}, self.last_s, failed))

    def _count(self, result: str) -> None:
        self._results[result] += 1
        self.totals[result] += 1

    def _all(self, change: Change) -> Iterator[None]:
        for _ in self._parts.guard():
            yield
        for count in self._parts.prefixes():
            self._see(count)
            yield
        for event in self._parts.sweep():
            self._see(event)
            yield
        yield from self._flows()
        yield from self._unkept()
        yield from self._running(self._parts.judge_by(change))

    def _see(self, event: Event | None) -> None:
        if event is not None:
            self._parts.see(event)

    def _flows(self) -> Iterator[None]:
        for key in self._remembered.all():
            kept = self._remembered.get(key)
            if kept is not None:
                self._count(self._flow(key, kept))
                yield

    def _flow(self, key: bytes, kept: Kept) -> str:
        """The word for what became of it."""
        container = self._parts.container(kept.event.actor.container)
        if container is None:
            return self._news(key)
        origin = _as_known_now(kept.origin, container)
        verdict = self._parts.judge(kept.event, origin)
        if not is_rememberable(verdict):
            return self._news(key)
        if is_same(kept.verdict, verdict):
            kept.verdict = verdict
            return "same"
        if is_violation(verdict):
            return self._violation(key, kept, origin, verdict)
        self._told.acquit(key)
        self._remembered.judged(key, kept, verdict)
        return "allowed"

    def _news(self, key: bytes) -> str:
        """Its next hit is a first sight. A finding that it is in ends with what was counted until now."""
        self._told.acquit(key)
        self._remembered.forget([key])
        return "news"

    def _violation(self, key: bytes, kept: Kept, origin: Origin, verdict: Verdict | None) -> str:
        """The kernel's state follows when the log has taken the record, as for any first sight."""
        counted = self._parts.count(key)
        if counted is None:
            return self._news(key)
        self._told.acquit(key)
        standing = replace(kept.event, standing=True, time_ns=self._parts.now_ns())
        if not self._parts.again(standing, origin, verdict):
            return self._news(key)
        self._told.begin_at(key, counted)
        return "violation"

    def _unkept(self) -> Iterator[None]:
        if not self._remembered.is_partial:
            return
        self._remembered.is_partial = False
        for key in self._remembered.unkept(self._parts.known()):
            self._count(self._news(key))
            yield

    def _running(self, before: Judge) -> Iterator[None]:
        for found in self._parts.running():
            if found is not None and self._is_standing_violation(*found, before):
                self._count("standing")
            yield

    def _is_standing_violation(self, event: Event, origin: Origin, before: Judge) -> bool:
        """Told if the set in force forbids it, and the one before did not, or by another rule."""
        verdict = self._parts.judge(event, origin)
        if not is_violation(verdict) or is_same(before(event, origin), verdict):
            return False
        if isinstance(event, Exec | Load | Net):
            event = replace(event, standing=True, time_ns=self._parts.now_ns())
        return self._parts.again(event, origin, verdict)


def is_same(before: Verdict | None, after: Verdict | None) -> bool:
    """Whether nobody has to be told: what is no violation is alike; a violation is the same by its rule, mode and severity."""
    if not is_violation(before) and not is_violation(after):
        return True
    if before is None or after is None or before.outcome is not after.outcome:
        return False
    return (before.rule, before.policy, before.reason, before.mode, before.severity) == (
        after.rule, after.policy, after.reason, after.mode, after.severity,
    )  # fmt: skip


def _as_known_now(origin: Origin, container: Container) -> Origin:
    return origin if origin.container is container else replace(origin, container=container)
