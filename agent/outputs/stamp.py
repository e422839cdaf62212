"""Identity and wall time for what is written: record id = agent/boot/log/index, time = boot time + offset."""

import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from msgspec import structs

from model.event import Event, Gap
from model.origin import Origin
from model.record import Finding, Note, Record, Where, wall_time
from model.verdict import Verdict

EVIDENCE = "evidence"
ACTIVITY = "activity"
LOGS = (EVIDENCE, ACTIVITY)
JUMP_NS = 1_000_000_000  # a larger step of the wall clock is worth a note
SECOND_NS = 1_000_000_000


def boot_ns() -> int:
    """Now, on the clock of the kernel's events."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """Maps boot time to wall time. The offset moves only when `jumped` is asked, so that times within a second agree."""

    def __init__(self, offset_ns: int | None = None) -> None:
        self.offset_ns = measured_offset() if offset_ns is None else offset_ns
        self._noted_ns = self.offset_ns
        self._cached = (-1, "")

    def wall(self, time_ns: int) -> str:
        """RFC 3339 with nanoseconds. Formatting a date costs ten times as much as the rest, so a second's is kept."""
        second, rest = divmod(time_ns + self.offset_ns, SECOND_NS)
        cached = self._cached  # one reference, so that two threads never mix their seconds
        if cached[0] != second:
            cached = self._cached = (second, wall_time(second * SECOND_NS)[:20])
        return f"{cached[1]}{rest:09d}Z"

    def jumped(self, offset_ns: int | None = None) -> bool:
        """Measure again; True once for each step of more than a second since the last one that was told."""
        self.offset_ns = measured_offset() if offset_ns is None else offset_ns
        if abs(self.offset_ns - self._noted_ns) <= JUMP_NS:
            return False
        self._noted_ns = self.offset_ns
        return True


def measured_offset() -> int:
    """Unix time minus boot time, ns. The wall clock is read between two readings of the boot clock."""
    before = boot_ns()
    wall = time.time_ns()
    return wall - (before + boot_ns()) // 2


class Stamp:
    """Builds what is written. `first` are the indexes to go on from, where a log of this boot exists already.

    An index is used once, also where the record is then lost: a hole in the log has its Gap.
    """

    def __init__(self, where: Where, clock: Clock, first: Mapping[str, int] | None = None, tier: int = 2) -> None:
        first = first or {}
        self.where = where
        self.clock = clock
        self.tier = tier
        self._evidence = count(first.get(EVIDENCE, 0))
        self._activity = count(first.get(ACTIVITY, 0))
        self._evidence_prefix = f"{where.agent}/{where.boot}/{EVIDENCE}/"
        self._activity_prefix = f"{where.agent}/{where.boot}/{ACTIVITY}/"

    def record(
        self,
        event: Event,
        origin: Origin | None = None,
        verdict: Verdict | None = None,
        late: bool = False,  # noqa: FBT001, FBT002 - the hot path takes no keywords
    ) -> Record:
        """The record of one event."""
        number = self._evidence_id() if type(event) is Gap else f"{self._activity_prefix}{next(self._activity)}"
        return Record(number, self.clock.wall(event.time_ns), self.where, event, origin, verdict, self.tier, late)

    def finding(self, template: Finding, time_ns: int, count: int) -> Finding:
        """The finding with its id, time and count; the template has the rest."""
        number, when = self._evidence_id(), self.clock.wall(time_ns)
        return structs.replace(template, id=number, time=when, where=self.where, count=count)

    def note(self, kind: str, says: Mapping[str, Any] | None = None, time_ns: int | None = None) -> Note:
        """What the agent says of itself; now, unless a time is given."""
        at = boot_ns() if time_ns is None else time_ns
        return Note(self._evidence_id(), self.clock.wall(at), self.where, kind, at, dict(says or {}))

    def clock_note(self) -> Note:
        """How boot time maps to wall time from here on."""
        return self.note("clock", {"offset_ns": self.clock.offset_ns})

    def _evidence_id(self) -> str:
        return f"{self._evidence_prefix}{next(self._evidence)}"


def log_of(record: Record | Finding | Note) -> str:
    """Which of the two logs it belongs to: noise must never push out evidence."""
    return ACTIVITY if type(record) is Record and type(record.event) is not Gap else EVIDENCE
