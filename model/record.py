"""The record: an event, who did it, and what the policies say. One JSON object a line, the same in log, stream and replay."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from model.event import Event
from model.origin import Origin
from model.verdict import Verdict

SCHEMA = 1


def _schema() -> int:
    """A default that msgspec does not omit."""
    return SCHEMA


def _tier() -> int:
    """The same: every record says its own."""
    return 2


class Where(Struct, frozen=True, gc=False, omit_defaults=True):
    """The agent that wrote a record. Constant for a run."""

    agent: str  # stable id of this installation
    boot: str  # the kernel's boot id
    node: str  # host name
    cluster: str = ""
    tenant: str = ""


class Record(Struct, frozen=True, omit_defaults=True):
    """What is written. `id` is unique over all agents, boots and logs: agent/boot/log/index."""

    id: str
    time: str  # wall clock, RFC 3339 with nanoseconds; for order use the event's boot time
    where: Where
    event: Event
    origin: Origin | None = None
    verdict: Verdict | None = None
    tier: int = field(default_factory=_tier)  # hooks that saw it: 1 LSM and fentry, 2 tracepoints and cgroup hooks, 3 no BPF
    late: bool = False  # judged again after the container's identity was known
    schema: int = field(default_factory=_schema)  # always written: an old line must not read as a newer schema's
    also: dict[str, Any] = {}  # fields of a newer schema: kept, not understood


class Finding(Struct, frozen=True, omit_defaults=True):
    """A violation that people should see. One per fingerprint and window; what follows in the window is counted."""

    id: str
    time: str
    where: Where
    fingerprint: str  # hash of workload, rule and subject: never of a container's id
    reason: str
    severity: str
    subject: str  # the path, address or socket that it is about
    policy: str
    rule: str
    source: str  # file:line:col
    container: str
    image: str
    session: str
    lineage: tuple[str, ...]
    count: int  # how often in this window, this one included
    record: str  # id of the record that it came from
    standing: bool = False
    mode: str = "alert"
    kind: str = field(default_factory=lambda: "finding")  # always written: readers tell lines apart by it
    schema: int = field(default_factory=_schema)  # always written: an old line must not read as a newer schema's


class Note(Struct, frozen=True, omit_defaults=True):
    """What the agent says of itself: its start and stop, heartbeats, policy changes, and how boot time maps to wall time."""

    id: str
    time: str
    where: Where
    kind: str  # start, stop, heartbeat, policies, clock
    time_ns: int  # boot time
    says: dict[str, Any] = {}
    schema: int = field(default_factory=_schema)  # always written: an old line must not read as a newer schema's


def wall_time(ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds. `ns` is Unix time."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
