"""What the agent's log says happened, container by container: so that it can be held against what was done.

Whatever a container did is either a record, or in the kernel's count of a flow or a folder, or in a gap with its count. A
flow's count holds the times it was itemised, too.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.sensor.reports import KINDS

COUNTED_IN = {"budget.unsent"}  # gaps of what is in a flow's count already
NOT_ITEMISED = {"budget"}  # gaps by the container's own budget: counted, as promised


class _Actor(Struct):
    container: int


class _File(Struct):
    path: str


class _Event(Struct):
    kind: str
    time_ns: int
    actor: _Actor | None = None
    container: int = 0
    file: _File | None = None
    flow: str = ""
    direction: str = ""
    what: int | str = 0
    count: int = 0
    place: str = ""
    standing: bool = False


class Line(Struct):
    """As much of a line of the log as is looked at."""

    event: _Event | None = None


@dataclass
class _Flow:
    kind: str
    path: str | None = None
    direction: str = ""
    itemised: int = 0
    counted: int = 0


@dataclass
class Container:
    """What is said of one container."""

    records: Counter[str] = field(default_factory=Counter)  # by the event's kind
    programs: Counter[str] = field(default_factory=Counter)  # execs by path
    over: Counter[str] = field(default_factory=Counter)  # counted by the budget alone
    lost: Counter[str] = field(default_factory=Counter)  # gaps of other places
    flows: dict[str, _Flow] = field(default_factory=dict)
    first_exec_ns: int = 0  # boot time of the first one that was seen as it happened

    def happened(self, kind: str, below: str = "", direction: str = "") -> int:
        """How often, by records, counts and gaps together. `below`: files there, and those without a name; `direction`: peers."""
        flows = (flow for flow in self.flows.values() if flow.kind == kind and (flow.path or below).startswith(below))
        flows = (flow for flow in flows if not direction or flow.direction == direction)
        return sum(max(flow.itemised, flow.counted) for flow in flows) + self.over[kind]

    @property
    def itemised(self) -> int:
        """Records, without those of the agent about what it knows."""
        return sum(count for kind, count in self.records.items() if kind not in ("count", "gap", "program"))

    def see(self, event: _Event) -> None:
        """One record of it."""
        self.records[event.kind] += 1
        if event.kind == "gap":
            self._gap(event)
        elif event.kind == "count":
            flow = self.flows.setdefault(event.flow, _Flow(KINDS.get(int(event.what), "")))
            flow.counted = max(flow.counted, event.count)
        elif event.flow:
            flow = self.flows.setdefault(event.flow, _Flow(event.kind))
            flow.path, flow.direction = event.file.path if event.file else None, event.direction
            flow.itemised += not (event.standing and flow.itemised)  # judged again: nothing happened
        if event.kind == "exec" and event.file:
            self.programs[event.file.path] += 1
            if not event.standing:
                self.first_exec_ns = min(self.first_exec_ns or event.time_ns, event.time_ns)

    def _gap(self, event: _Event) -> None:
        if event.place in NOT_ITEMISED:
            self.over[str(event.what)] += event.count
        elif event.place not in COUNTED_IN:
            self.lost[f"{event.place} {event.what}".strip()] += max(1, event.count)


class Tally:
    """Reads both logs of a folder, and goes on where it stopped. `of` gives a container by its cgroup, 0 is nobody's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._containers: dict[int, Container] = {}
        self._decode = msgspec.json.Decoder(Line).decode

    def of(self, cgroup: int) -> Container:
        """What is said of this container so far."""
        return self._containers.setdefault(cgroup, Container())

    def others(self, *cgroups: int) -> int:
        """Records of other containers than these: noise in the agent's own cost."""
        return sum(one.itemised for cgroup, one in self._containers.items() if cgroup and cgroup not in cgroups)

    @property
    def lost(self) -> Counter[str]:
        """What was lost anywhere."""
        return sum((one.lost for one in self._containers.values()), Counter())

    def read(self) -> "Tally":
        """Take in what was written since the last time."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as stream:
                stream.seek(self._read.get(path, 0))
                text = stream.read()
            whole = text.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in text[:whole].splitlines():
                self._take(line)
        return self

    def _take(self, line: bytes) -> None:
        event = self._decode(line).event
        if event is not None:
            self.of(event.actor.container if event.actor else event.container).see(event)
