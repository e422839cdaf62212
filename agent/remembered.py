"""What the kernel remembers, as it must be known to be judged again: of each known flow the first sight, who did it, its verdict.

Equal keys give equal verdicts (docs/decisions/0001), so one event stands for all of its flow. A flow is in here before the
kernel is told that it is known, and until the kernel says that it has forgotten it.

Bounded: what has no room is remembered by the kernel all the same, and is news again when the policies change.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from msgspec import Struct

from model.event import Event, FlowCount
from model.origin import Origin
from model.record import Record
from model.verdict import Mode, Outcome, Verdict

FLOWS = 16384  # 0.5 KiB each, see bench
WAITING = 65536  # judged, and the log has not taken them yet
_UNSURE = (-1, False)
_VIOLATION, _ALERT = Outcome.VIOLATION, Mode.ALERT


class Answers(Protocol):
    """How the kernel is told. Each takes flows' keys."""

    def remember(self, keys: Iterable[bytes]) -> None:
        """Only count them."""

    def watch(self, keys: Iterable[bytes]) -> None:
        """The same, and tell with every sweep."""

    def forget(self, keys: Iterable[bytes]) -> None:
        """Send them again at their next hit."""


class Kept(Struct):
    """A flow's first sight, or the last one that was sent, with the verdict as of now."""

    event: Any  # one of pipeline.FLOWS
    origin: Origin
    verdict: Verdict | None


class Remembered:
    """Belongs to the loop. Stands between the pipeline and the kernel: the state that a flow gets is that of its verdict now."""

    def __init__(self, kernel: Answers, limit: int = FLOWS) -> None:
        self._kernel, self._limit = kernel, limit
        self._flows: dict[bytes, Kept] = {}
        self._waiting: dict[bytes, tuple[int, bool]] = {}  # key → who judged it last, and whether loudly; not yet in the log
        self.generation = 0  # of the policies in force
        self.beyond = 0  # flows that had no room so far
        self.is_partial = False  # the kernel may know flows that are not in here

    def __len__(self) -> int:
        return len(self._flows)

    def see(self, event: Event, origin: Origin, verdict: Verdict | None) -> None:
        """A flow that may be remembered was written. The kernel is told when the log has taken it."""
        key: bytes = event.flow  # type: ignore[union-attr]
        if len(self._waiting) >= WAITING:
            self._waiting.clear()  # what is in doubt is not remembered: the kernel sends it again
        self._waiting[key] = (self.generation, is_loud(verdict))
        kept = self._flows.get(key)
        if kept is not None:
            kept.event, kept.origin, kept.verdict = event, origin, verdict
        elif len(self._flows) < self._limit:
            self._flows[key] = Kept(event, origin, verdict)
        else:
            self.beyond += 1

    def settle(self, keys: Iterable[bytes]) -> None:
        """The log took these flows."""
        quiet: list[bytes] = []
        loud: list[bytes] = []
        for key in keys:
            generation, is_loud_now = self._waiting.pop(key, _UNSURE)
            kept = self._flows.get(key)
            if kept is not None:
                is_loud_now = is_loud(kept.verdict)
            elif generation == self.generation:
                self.is_partial = True
            else:
                continue  # those policies are no longer in force: the kernel sends it again
            (loud if is_loud_now else quiet).append(key)
        if quiet:
            self._kernel.remember(quiet)
        if loud:
            self._kernel.watch(loud)

    def write(self, record: Record) -> None:
        """An output: a flow's last count says that the kernel has forgotten it."""
        event = record.event
        if type(event) is FlowCount and event.final:
            self._flows.pop(event.flow, None)

    def get(self, key: bytes) -> Kept | None:
        """What is kept of a flow."""
        return self._flows.get(key)

    def all(self) -> list[bytes]:
        """All flows that can be judged again, as of now."""
        return list(self._flows)

    def unkept(self, known: Iterable[bytes]) -> Iterator[bytes]:
        """Of the flows that the kernel knows, those that can't be judged again."""
        return (key for key in known if key not in self._flows)

    def judged(self, key: bytes, kept: Kept, verdict: Verdict | None) -> None:
        """A flow has another verdict, which nobody has to be told of. The kernel's state follows."""
        was_loud, kept.verdict = is_loud(kept.verdict), verdict
        if key not in self._waiting and was_loud is not is_loud(verdict):
            (self._kernel.watch if is_loud(verdict) else self._kernel.remember)([key])

    def forget(self, keys: Iterable[bytes]) -> None:
        """These flows are news at their next hit."""
        given = list(keys)
        for key in given:
            self._flows.pop(key, None)
            self._waiting.pop(key, None)
        self._kernel.forget(given)

    def clear(self) -> None:
        """The kernel begins anew: nothing that is in here is remembered any more."""
        self._flows.clear()
        self._waiting.clear()
        self.is_partial = False


def is_violation(verdict: Verdict | None) -> bool:
    """Whether a policy forbids it, in whatever mode."""
    return verdict is not None and verdict.outcome is _VIOLATION


def is_loud(verdict: Verdict | None) -> bool:
    """Whether people are told: the kernel tells every hit with the next sweep."""
    return verdict is not None and verdict.outcome is _VIOLATION and verdict.mode is _ALERT
