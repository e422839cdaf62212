"""Why a record is a finding: a policy's verdict, or an event that is one by itself."""

from collections.abc import Callable
from typing import Any, NamedTuple

from agent.outputs.workload import subject_of
from model.event import Conflict, Event, Exec, FlowCount, Gap, Left, Many, Privilege, Session
from model.origin import Origin
from model.record import Record
from model.verdict import Mode, Reason, Severity, Verdict


class Cause(NamedTuple):
    """The words of a finding."""

    reason: str
    severity: str
    subject: str
    times: int = 1
    rule: str = ""
    policy: str = ""
    source: str = ""
    mode: str = Mode.ALERT.value
    container: str = ""  # where the record has no origin


def from_verdict(verdict: Verdict, event: Event) -> Cause:
    """What a policy does not allow."""
    return Cause(
        verdict.reason.value,
        verdict.severity.value,
        subject_of(event),
        event.added if isinstance(event, FlowCount) else 1,
        verdict.rule,
        verdict.policy,
        verdict.source,
        verdict.mode.value,
    )


def of_its_own(record: Record) -> Cause | None:
    """Escalation, leaving, flood, and programs in containers that nobody can name: findings without any policy."""
    look = _LOOKS.get(type(record.event))
    if look is None or session_of(record.event) is Session.RUNTIME:
        return None
    return look(record.event, record.origin)


def session_of(event: Event) -> Session | None:
    """How the process that did it came into its container."""
    if isinstance(event, FlowCount):
        return event.seen
    session: Session | None = getattr(getattr(event, "actor", None), "session", None)
    return session


def _escalated(event: Privilege, _: Origin | None) -> Cause:
    where = f"cgroup {event.actor.container}"
    return Cause(Reason.PRIVILEGE_ESCALATION.value, Severity.HIGH.value, subject_of(event), container=where)


def _left(event: Left, _: Origin | None) -> Cause:
    return Cause(Reason.CONTAINER_LEFT.value, Severity.HIGH.value, subject_of(event), container=f"cgroup {event.actor.container}")


def _flooded(event: Gap, _: Origin | None) -> Cause | None:
    """A container's budget is spent. Other gaps are the agent's own affair: metrics and status tell them."""
    if event.place != "budget":
        return None
    subject = f"{event.what} events that are not itemised"
    return Cause(Reason.FLOOD.value, Severity.MEDIUM.value, subject, max(event.count, 1), container=f"cgroup {event.container}")


def _counted_only(_: Many, __: Origin | None) -> Cause:
    """A container's quota of flows is spent: the folder's own count, when it comes, is the finding's."""
    return Cause(Reason.FLOOD.value, Severity.MEDIUM.value, "files that are not itemised, but counted by folder")


def _unidentified(_: Exec, origin: Origin | None) -> Cause | None:
    if origin is None or origin.container.runtime != "unidentified":
        return None
    return Cause(Reason.IDENTITY_UNIDENTIFIED.value, Severity.MEDIUM.value, "a container that no runtime's record names")


def _claimed_twice(event: Conflict, _: Origin | None) -> Cause:
    subject = f"one cgroup claimed by {' and '.join(event.claimants)}"
    return Cause(Reason.IDENTITY_CLAIMED_TWICE.value, Severity.HIGH.value, subject, container=f"cgroup {event.container}")


_LOOKS: dict[type, Callable[[Any, Origin | None], Cause | None]] = {
    Privilege: _escalated,
    Left: _left,
    Gap: _flooded,
    Many: _counted_only,
    Exec: _unidentified,
    Conflict: _claimed_twice,
}
