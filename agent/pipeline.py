"""The hot path: five direct calls from a ring's bytes to what is written and remembered.

    bytes ─ decode ─► event ─ locate ─► origin ─ judge ─► verdict ─ write ─► position ─ remember ─► the kernel answers next time

Each stage takes a batch, not each event all stages: a stage's code and tables then stay in the processor's caches
(docs/decisions/0010).
A flow is remembered when its verdict is a function of its key, its container has a name, and the log took its record; until
then the kernel sends it again. Events of a container that has no name yet are held and judged when it has one.
Live and replay run this same code: only the parts differ.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from model.event import Cgroup, Change, Event, Handover, Load, Mount, Net, Open, Socket, Unix
from model.origin import Origin
from model.record import Record
from model.verdict import Depends, Mode, Outcome, Verdict

IN_KEY = Depends.CONTAINER | Depends.PATH | Depends.LAYER | Depends.ADDRESS | Depends.PORT
_BESIDE_KEY = ~int(IN_KEY)  # plain int: members of an IntFlag take 3 µs to combine
_VIOLATION, _ALERT = Outcome.VIOLATION, Mode.ALERT  # members cost 0.2 µs to look up, names of the module none
FLOWS = (Open, Load, Change, Net, Socket, Unix)
CONTROL = (Cgroup, Mount, Handover)
UNWRITTEN = (Cgroup, Mount)  # facts for ourselves: who and where, no behaviour
BATCH = 128  # events that go through the stages together; what they are made of is in memory at once
WAITING = 65536  # flows whose records the log has not taken yet; more are simply sent again


@dataclass(frozen=True)
class Parts:
    """What the hot path calls, in this order. The composition root gives it."""

    decode: Callable[[bytes], Event | None]  # None: no record; the decoder counts it
    notice: Callable[[Event], None]  # control events: who and where
    locate: Callable[[Event], tuple[Event, Origin | None]]
    hold: Callable[[Event], Sequence[Event]]  # no origin yet; gives back what is to be written without one
    judge: Callable[[Event, Origin], Verdict | None]
    record: Callable[[Event, Origin | None, Verdict | None, bool], Record]
    log: Callable[[Sequence[Record]], Sequence[int]]  # the position of each, or 0 where it had no room
    outputs: tuple[Callable[[Record], object], ...]
    novel: Callable[[Event, Origin, Verdict | None], None]  # can a whole folder or network be answered for?
    taken: Callable[[], int]  # all records up to this position are safe
    failed: Callable[[Exception], None]  # an event raised
    remember: Callable[[Sequence[bytes]], None]  # from now on the kernel only counts these flows
    watch: Callable[[Sequence[bytes]], None]  # the same, of violations


class Pipeline:
    """One host's stream of events. Belongs to the loop; not for two threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: deque[tuple[int, bytes, bool]] = deque(maxlen=WAITING)  # position, flow, whether it is told loudly
        self.failed = 0  # events that raised: a defect of ours; each is a Gap
        self.unwritten = 0  # flows whose record had no room in the log: not remembered

    def take(self, raw_records: Iterable[bytes]) -> None:
        """Everything that a ring gave, in the order in which it happened.

        What makes the tables (a container's mounts, its handover) goes through alone: the events after it are read by them.
        """
        events: list[Event] = []
        for raw in raw_records:
            event = self._decoded(raw)
            if event is None:
                continue
            if type(event) in CONTROL:
                self._through(events, False)  # noqa: FBT003 - the hot path takes no keywords
                self._through((event,), False)  # noqa: FBT003
                events = []
                continue
            events.append(event)
            if len(events) == BATCH:
                self._through(events, False)  # noqa: FBT003
                events = []
        self._through(events, False)  # noqa: FBT003

    def _decoded(self, raw: bytes) -> Event | None:
        try:
            return self._parts.decode(raw)
        except Exception as error:  # noqa: BLE001 - nothing that a container does may stop the agent
            self._fail(error)
            return None

    def see(self, event: Event, late: bool = False) -> None:  # noqa: FBT001, FBT002 - as `_through`
        """One event from a sweep, from those that were held, or made by the agent.

        `late`: it was held until its container had a name.
        """
        self._through((event,), late)

    def _through(self, events: Sequence[Event], late: bool) -> None:  # noqa: FBT001 - the hot path takes no keywords
        """All stages. An error in one event costs that event, never the others nor the loop: it is counted and told."""
        records = self._recorded(self._judged(self._located(events)), late)
        if records:
            for record, position in zip(records, self._logged(records), strict=True):
                self._tell(record, position)

    def again(self, event: Event, origin: Origin, verdict: Verdict | None) -> bool:
        """What was judged anew, and is to be told: the stages behind the judge. False where the log had no room for it."""
        for record in self._recorded(((event, origin, verdict),), False):  # noqa: FBT003 - as `_through`
            (position,) = self._logged((record,))
            self._tell(record, position)
            return position > 0
        return False

    def _logged(self, records: Sequence[Record]) -> Sequence[int]:
        """Where the log has them. An error is looked for one by one: 0 for the record that it is in."""
        try:
            return self._parts.log(records)
        except Exception as error:  # noqa: BLE001 - as everywhere here
            if len(records) == 1:
                self._fail(error)
                return (0,)
            return [position for record in records for position in self._logged((record,))]

    def _tell(self, record: Record, position: int) -> None:
        """The other outputs; one behind the other, so that a finding follows its record."""
        for write in self._parts.outputs:
            try:
                write(record)
            except Exception as error:  # noqa: BLE001 - as everywhere here
                self._fail(error)
        if record.origin is not None and type(record.event) in FLOWS:
            try:
                self._settle(record, position)
            except Exception as error:  # noqa: BLE001 - as everywhere here
                self._fail(error)

    def _located(self, events: Sequence[Event]) -> list[tuple[Event, Origin | None]]:
        """With who did it; what nobody can be named for yet is held, and takes the place of what had to give way."""
        notice, locate, hold = self._parts.notice, self._parts.locate, self._parts.hold
        located: list[tuple[Event, Origin | None]] = []
        for event in events:
            try:
                if type(event) in CONTROL:
                    notice(event)
                    if type(event) in UNWRITTEN:
                        continue
                found, origin = locate(event)
                if origin is None:
                    located += [(unnamed, None) for unnamed in hold(found)]
                else:
                    located.append((found, origin))
            except Exception as error:  # noqa: BLE001 - as everywhere here
                self._fail(error)
        return located

    def _judged(self, located: Sequence[tuple[Event, Origin | None]]) -> list[tuple[Event, Origin | None, Verdict | None]]:
        judge, judged = self._parts.judge, []
        for event, origin in located:
            try:
                judged.append((event, origin, None if origin is None else judge(event, origin)))
            except Exception as error:  # noqa: BLE001 - as everywhere here
                self._fail(error)
        return judged

    def _recorded(
        self,
        judged: Sequence[tuple[Event, Origin | None, Verdict | None]],
        late: bool,  # noqa: FBT001 - the hot path takes no keywords
    ) -> list[Record]:
        record, records = self._parts.record, []
        for event, origin, verdict in judged:
            try:
                records.append(record(event, origin, verdict, late))
            except Exception as error:  # noqa: BLE001 - as everywhere here
                self._fail(error)
        return records

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        self._parts.failed(error)

    def _settle(self, record: Record, position: int) -> None:
        verdict = record.verdict
        if not position:
            self.unwritten += 1
        elif is_rememberable(verdict):
            violates = verdict is not None and verdict.outcome is _VIOLATION and verdict.mode is _ALERT
            self._waiting.append((position, record.event.flow, violates))  # type: ignore[union-attr]
            self._parts.novel(record.event, record.origin, verdict)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Let the kernel answer for what the log has taken. Call it once a batch."""
        waiting, taken = self._waiting, self._parts.taken()
        flows: list[bytes] = []
        violations: list[bytes] = []
        while waiting and waiting[0][0] <= taken:
            _, flow, violates = waiting.popleft()
            (violations if violates else flows).append(flow)
        if flows:
            self._parts.remember(flows)
        if violations:
            self._parts.watch(violations)

    @property
    def pending(self) -> int:
        """Flows whose records the log has not taken yet."""
        return len(self._waiting)


def is_rememberable(verdict: Verdict | None) -> bool:
    """Whether a flow's key decides its verdict: then one answer holds for every repeat."""
    return verdict is None or not int(verdict.depends) & _BESIDE_KEY
