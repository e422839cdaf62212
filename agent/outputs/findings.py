"""Violations that people should see: told once, then counted.

    first violation ─► Finding(count=1) at once
    the same fingerprint within the window ─► counted            (workload + rule + subject, never the container's id)
    window's end ─► Finding(count=all of the window), if there were more than the first

Two bounds hold against a flood of distinct subjects: fingerprints of one workload, and of all. What is over is one `flood`
finding, which counts exactly what was not itemised.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from agent.outputs.causes import Cause, from_verdict, of_its_own, session_of
from agent.outputs.stamp import Stamp, boot_ns
from agent.outputs.workload import fingerprint, image_name, label, workload
from model.event import Event, FlowCount, Session
from model.record import Finding, Record
from model.verdict import Mode, Outcome, Reason, Severity

SECOND_NS: Final = 1_000_000_000
WINDOW_S: Final = 600.0
WINDOWS: Final = 2048  # fingerprints at once: about 2 KiB each
WINDOWS_OF_ONE: Final = 256  # of one workload
FLOWS: Final = 8192  # violating flows whose later counts are known to belong to a finding


class _Window:
    """The time in which a fingerprint is counted and not told again."""

    __slots__ = ("count", "ends_ns", "finding", "told", "workload")

    def __init__(self, finding: Finding, count: int, ends_ns: int, of: str) -> None:
        self.finding, self.ends_ns, self.workload = finding, ends_ns, of
        self.count = self.told = count


class _Flow:
    """A violating flow: what it was told as, and how many of its kernel's count are counted here.

    The kernel may have counted it before it was a violation. Until its first count comes, it is not known how often.
    """

    __slots__ = ("counted", "finding", "is_based", "workload")

    def __init__(self, finding: Finding, of: str) -> None:
        self.finding, self.workload, self.counted, self.is_based = finding, of, 0, False


class Findings:
    """Belongs to the loop. `tell` gets every finding, and must not call back."""

    def __init__(
        self, stamp: Stamp, tell: Callable[[Finding], None], *, window_s: float = WINDOW_S, limit: int = WINDOWS
    ) -> None:
        self._stamp, self._tell = stamp, tell
        self._window_ns = int(window_s * SECOND_NS)
        self._limit, self._limit_of_one = limit, max(1, min(WINDOWS_OF_ONE, limit // 2))
        self._windows: OrderedDict[str, _Window] = OrderedDict()  # in the order they end
        self._by_workload: Counter[str] = Counter()
        self._flows: OrderedDict[bytes, _Flow] = OrderedDict()
        self.learned: Counter[str] = Counter()  # violations in mode learn, by reason
        self.forgotten_flows = 0  # had to be dropped from the table: later counts of them are in no finding
        self.refused = 0  # findings that had no window of their own: they are in a flood's count

    def write(self, record: Record) -> None:
        """Look at one record. Cheap for what is no violation."""
        event, verdict = record.event, record.verdict
        if type(event) is FlowCount and event.flow in self._flows:
            self._counted(event)
        elif verdict is not None and verdict.outcome is Outcome.VIOLATION:
            self._violation(record)
        elif cause := of_its_own(record):
            self._add(record, cause)

    def begin_at(self, flow: bytes, count: int) -> None:
        """A flow that the kernel knew became a violation: what it had counted until then is none of it."""
        found = self._flows.get(flow)
        if found is not None:
            found.counted, found.is_based = count, True

    def acquit(self, flow: bytes) -> None:
        """A flow is no violation any more, or another one: what it does from now on belongs to no finding of before."""
        self._flows.pop(flow, None)

    def tick(self, now_ns: int) -> None:
        """End the windows that are over at this boot time. Call it every second or so."""
        while self._windows and next(iter(self._windows.values())).ends_ns <= now_ns:
            self._end(self._windows.popitem(last=False)[1], now_ns)

    def close(self) -> None:
        """End all windows, so that every count is told."""
        while self._windows:
            window = self._windows.popitem(last=False)[1]
            self._end(window, min(window.ends_ns, boot_ns()))

    def _violation(self, record: Record) -> None:
        verdict, event = record.verdict, record.event
        if verdict is None or session_of(event) is Session.RUNTIME:
            return
        if verdict.mode is Mode.LEARN:
            self.learned[verdict.reason.value] += _times(event)
        else:
            self._add(record, from_verdict(verdict, event))

    def _add(self, record: Record, cause: Cause) -> None:
        finding = _template(record, cause)
        container = record.origin.container if record.origin else None
        of = workload(container) if container else finding.container
        flow = getattr(record.event, "flow", None)
        if flow:
            self._flow(flow, finding, of).counted += cause.times
        self._count(finding, of, cause.times, record.event.time_ns)

    def _flow(self, key: bytes, finding: Finding, of: str) -> _Flow:
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= FLOWS:
                self._flows.popitem(last=False)
                self.forgotten_flows += 1
            flow = self._flows[key] = _Flow(finding, of)
        return flow

    def _counted(self, event: FlowCount) -> None:
        """The kernel's count of the flow holds every time it was itemised, too: only what is above that is new."""
        flow = self._flows[event.flow]
        if not flow.is_based:
            flow.counted, flow.is_based = flow.counted + event.count - event.added, True
        more = event.count - flow.counted
        if event.final:
            del self._flows[event.flow]
        if more > 0:
            flow.counted = event.count
            self._count(flow.finding, flow.workload, more, event.time_ns)

    def _count(self, finding: Finding, of: str, times: int, now_ns: int) -> None:
        window = self._windows.get(finding.fingerprint)
        if window is not None and window.ends_ns > now_ns:
            window.count += times
            return
        if window is not None:
            del self._windows[finding.fingerprint]
            self._end(window, now_ns)
        if self._full(finding, of):
            self._flood(finding, of, times, now_ns)
        else:
            self._begin(finding, of, times, now_ns)

    def _full(self, finding: Finding, of: str) -> bool:
        if finding.fingerprint.startswith("flood"):
            return False
        return len(self._windows) >= self._limit or self._by_workload[of] >= self._limit_of_one

    def _flood(self, finding: Finding, of: str, times: int, now_ns: int) -> None:
        """One workload's own flood, or, when the whole table is full, one for all."""
        self.refused += 1
        own = self._by_workload[of] >= self._limit_of_one
        subject = "findings of this workload that are not itemised" if own else "findings that are not itemised"
        self._count(_flood_of(finding, of if own else "", subject), "", times, now_ns)

    def _begin(self, finding: Finding, of: str, times: int, now_ns: int) -> None:
        self._windows[finding.fingerprint] = _Window(finding, times, now_ns + self._window_ns, of)
        self._by_workload[of] += 1
        self._tell(self._stamp.finding(finding, now_ns, times))

    def _end(self, window: _Window, now_ns: int) -> None:
        self._by_workload[window.workload] -= 1
        if self._by_workload[window.workload] <= 0:
            del self._by_workload[window.workload]
        if window.count > window.told:
            self._tell(self._stamp.finding(window.finding, now_ns, window.count))


def _times(event: Event) -> int:
    return event.added if type(event) is FlowCount else 1


def _template(record: Record, cause: Cause) -> Finding:
    """The finding without id, time and count."""
    origin, event = record.origin, record.event
    container = origin.container if origin else None
    session = session_of(event)
    return Finding(
        id="",
        time="",
        where=record.where,
        fingerprint=fingerprint(container, cause.rule or cause.reason, cause.subject),
        reason=cause.reason,
        severity=cause.severity,
        subject=cause.subject,
        policy=cause.policy,
        rule=cause.rule,
        source=cause.source,
        container=label(container) if container else cause.container,
        image=image_name(container.image) if container else "",
        session=session.name.lower() if session else "",
        lineage=origin.lineage if origin else (),
        count=0,
        record=record.id,
        standing=getattr(event, "standing", False),
        mode=cause.mode,
    )


def _flood_of(finding: Finding, of: str, subject: str) -> Finding:
    """The finding that stands for what was not itemised, of one workload or (`of` is "") of all."""
    return Finding(
        id="",
        time="",
        where=finding.where,
        fingerprint=f"flood-{fingerprint(None, Reason.FLOOD, of)[:26]}",
        reason=Reason.FLOOD.value,
        severity=Severity.HIGH.value,
        subject=subject,
        policy="",
        rule="",
        source="",
        container=finding.container if of else "",
        image=finding.image if of else "",
        session="",
        lineage=(),
        count=0,
        record=finding.record,
    )
