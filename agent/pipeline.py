"""The hot path: five direct calls from a ring's bytes to what is written and remembered.

    bytes ─ decode ─► event ─ locate ─► origin ─ judge ─► verdict ─ write ─► position ─ remember ─► the kernel answers next time

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
from model.verdict import Depends, Verdict

IN_KEY = Depends.CONTAINER | Depends.PATH | Depends.LAYER | Depends.ADDRESS | Depends.PORT
_BESIDE_KEY = ~int(IN_KEY)  # plain int: members of an IntFlag take 3 µs to combine
FLOWS = (Open, Load, Change, Net, Socket, Unix)
CONTROL = (Cgroup, Mount, Handover)
UNWRITTEN = (Cgroup, Mount)  # facts for ourselves: who and where, no behaviour
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
    log: Callable[[Record], int]  # its position, or 0 where it had no room
    outputs: tuple[Callable[[Record], object], ...]
    novel: Callable[[Event, Origin, Verdict | None], None]  # can a whole folder or network be answered for?
    taken: Callable[[], int]  # all records up to this position are safe
    failed: Callable[[Exception], None]  # an event raised
    remember: Callable[[Sequence[bytes]], None]  # from now on the kernel only counts these flows


class Pipeline:
    """One host's stream of events. Belongs to the loop; not for two threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: deque[tuple[int, bytes]] = deque(maxlen=WAITING)
        self.failed = 0  # events that raised: a defect of ours; each is a Gap
        self.unwritten = 0  # flows whose record had no room in the log: not remembered

    def take(self, raw_records: Iterable[bytes]) -> None:
        """Everything that a ring gave. An error in one event costs that event, never the loop: it is counted and told."""
        decode, see = self._parts.decode, self._see
        for raw in raw_records:
            try:
                event = decode(raw)
                if event is not None:
                    see(event)
            except Exception as error:  # noqa: BLE001 - nothing that a container does may stop the agent
                self._fail(error)

    def see(self, event: Event, late: bool = False) -> None:  # noqa: FBT001, FBT002 - as `_see`
        """One event from a sweep, from those that were held, or made by the agent. An error costs it alone, as in `take`.

        `late`: it was held until its container had a name.
        """
        try:
            self._see(event, late)
        except Exception as error:  # noqa: BLE001 - a sweep's other counts are gone from the kernel: they must be written
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        self._parts.failed(error)

    def _see(self, event: Event, late: bool = False) -> None:  # noqa: FBT001, FBT002 - the hot path takes no keywords
        parts, kind = self._parts, type(event)
        if kind in CONTROL:
            parts.notice(event)
            if kind in UNWRITTEN:
                return
        event, origin = parts.locate(event)
        if origin is None:
            for unnamed in parts.hold(event):
                self._write(unnamed, None, None, late)
            return
        verdict = parts.judge(event, origin)
        position = self._write(event, origin, verdict, late)
        if kind in FLOWS:
            self._settle(event, origin, verdict, position)

    def _write(self, event: Event, origin: Origin | None, verdict: Verdict | None, late: bool) -> int:  # noqa: FBT001
        record = self._parts.record(event, origin, verdict, late)
        position = self._parts.log(record)
        for write in self._parts.outputs:
            write(record)
        return position

    def _settle(self, event: Event, origin: Origin, verdict: Verdict | None, position: int) -> None:
        if not position:
            self.unwritten += 1
        elif verdict is None or not int(verdict.depends) & _BESIDE_KEY:
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
