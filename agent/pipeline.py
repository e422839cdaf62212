"""The hot path: five direct calls from a ring's bytes to what is written and remembered.

    bytes ─ decode ─► event ─ locate ─► origin ─ judge ─► verdict ─ write ─► position ─ remember ─► the kernel answers next time

A flow is remembered when its verdict is a function of its key, its container's identity is whole, and the log took its record
(positions tell); until then the kernel sends it again. Live and replay run this same code: only the parts differ.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from model.event import Cgroup, Change, Event, FlowCount, Gap, Handover, Load, Many, Mount, Net, Open, Socket, Unix
from model.origin import Origin
from model.record import Record
from model.verdict import Depends, Verdict

IN_KEY = Depends.CONTAINER | Depends.PATH | Depends.LAYER | Depends.ADDRESS | Depends.PORT
FLOWS = (Open, Load, Change, Net, Socket, Unix)
UNWRITTEN = (Cgroup, Mount)  # facts for ourselves: who and where, no behaviour


class Output(Protocol):
    """Somebody whom we tell."""

    def write(self, record: Record) -> object:
        """Take one record; never wait."""


class Parts(Protocol):
    """What the hot path calls. The composition root gives it."""

    def decode(self, raw: bytes) -> Event | None:
        """None for bytes that are no record: counted by the decoder."""

    def locate(self, event: Event) -> tuple[Event, Origin | None]:
        """Who did it. No origin: the container isn't known yet."""

    def judge(self, event: Event, origin: Origin) -> Verdict | None:
        """What the policies say; None where no verb applies."""

    def record(self, event: Event, origin: Origin | None, verdict: Verdict | None) -> Record:
        """Give it its id and wall time."""

    def log(self, record: Record) -> int:
        """Queue it; its position, or 0 where it had no room."""

    def taken(self) -> int:
        """All records up to this position are safe."""

    def remember(self, flows: Sequence[bytes]) -> None:
        """From now on the kernel only counts them."""

    def novel(self, event: Event, origin: Origin, verdict: Verdict | None) -> None:
        """Look whether a whole folder or network can be answered for."""


class Pipeline:
    """One container runtime host's stream of events. Belongs to the loop; not for two threads."""

    def __init__(self, parts: Parts, outputs: Iterable[Output], notice: Callable[[Event], None]) -> None:
        self._parts = parts
        self._write = tuple(output.write for output in outputs)
        self._notice = notice  # the agent's own reaction to control events
        self._waiting: deque[tuple[int, bytes]] = deque()
        self.events: Counter[type] = Counter()
        self.malformed = 0
        self.unwritten = 0  # records for which the log had no room: their flows are not remembered

    def take(self, raw_records: Iterable[bytes]) -> None:
        """Everything that a ring gave."""
        decode = self._parts.decode
        for raw in raw_records:
            event = decode(raw)
            if event is None:
                self.malformed += 1
            else:
                self.see(event)

    def see(self, event: Event) -> None:
        """One event, from a ring or made by the agent."""
        parts, kind = self._parts, type(event)
        self.events[kind] += 1
        if kind in (Cgroup, Mount, Handover):
            self._notice(event)
            if kind in UNWRITTEN:
                return
        event, origin = parts.locate(event)
        verdict = parts.judge(event, origin) if origin is not None else None
        record = parts.record(event, origin, verdict)
        position = parts.log(record)
        for write in self._write:
            write(record)
        if kind in FLOWS and origin is not None:
            self._settle(event, origin, verdict, position)
        elif kind is Many or kind is Gap or kind is FlowCount:
            self._notice(event)

    def _settle(self, event: Event, origin: Origin, verdict: Verdict | None, position: int) -> None:
        if not position:
            self.unwritten += 1
        elif verdict is None or not verdict.depends & ~IN_KEY:
            self._waiting.append((position, event.flow))  # type: ignore[union-attr]
            self._parts.novel(event, origin, verdict)

    def settle(self) -> None:
        """Let the kernel answer for what the log has taken. Call it once a batch."""
        waiting, taken = self._waiting, self._parts.taken()
        flows = []
        while waiting and waiting[0][0] <= taken:
            flows.append(waiting.popleft()[1])
        if flows:
            self._parts.remember(flows)

    @property
    def pending(self) -> int:
        """Flows whose records the log has not taken yet."""
        return len(self._waiting)
