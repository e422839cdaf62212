"""All containers, from the records of the log. Pure: no file, no clock, no terminal; the caller says what time it is.

Rates are over a sliding window. What the kernel only counted is told at least once in `counts_s` (the agent's
`sensor.all_counts_s`), so its rate is over that long: over a shorter window it would jump up and down.
"""

from collections import OrderedDict, deque
from typing import Final

from agent.outputs.workload import image_name
from agent.top.container import COUNTED_ELSEWHERE, SECOND_NS, Seen, count
from agent.top.distinct import Distinct
from agent.top.rates import Rates
from agent.top.snapshot import Agent, Detail, Listed, Row, Snapshot
from model.event import Event, Gap
from model.origin import Container
from model.record import Finding, Note, Record
from model.verdict import Outcome

CONTAINERS: Final = 512
FOUND: Final = 4096  # violating records, and whose they are; different findings that are counted
LOSSES: Final = 5
ENDED_NS: Final = 60 * SECOND_NS  # a container that ended is shown for so long
YOUNG_NS: Final = 15 * SECOND_NS  # one that is not in the agent's account may be newer than that
DOWN: Final = "agent.down"
TOTAL: Final = "total"


class View:
    """`see` takes what the log has, in its order. `snapshot` and `detail` say what is so at a boot time."""

    def __init__(self, window_s: float, counts_s: float, *, limit: int = CONTAINERS) -> None:
        self.window_s, self.counts_s = window_s, max(window_s, counts_s)
        self._limit = limit
        self._containers: OrderedDict[str, Seen] = OrderedDict()  # the one that did something last is the last
        self._all = self._rates()
        self._found: OrderedDict[str, str] = OrderedDict()  # record → container, of violations
        self._losses: deque[str] = deque(maxlen=LOSSES)
        self._lost = 0
        self._lost_unknown = False
        self._fingerprints = Distinct(FOUND)
        self._left_out = 0
        self._blind_ns = 0  # nobody watched just before
        self._since = ""

    def see(self, entry: Record | Finding | Note) -> None:
        """One line of the log."""
        if isinstance(entry, Record):
            self._record(entry)
        elif isinstance(entry, Finding):
            self._finding(entry)
        if not self._since or entry.time < self._since:
            self._since = entry.time

    def snapshot(self, now_ns: int, time: str, agent: Agent, skipped_bytes: int = 0, damaged: int = 0) -> Snapshot:
        """The table's lines. A container that ended is forgotten after a while."""
        running = {one.cgroup_path: one for one in agent.containers}
        self._forget(now_ns, running)
        rows = [seen.row(now_ns, running=self._runs(seen, running, now_ns)) for seen in self._containers.values()]
        rows += [self._quiet(one) for path, one in running.items() if path not in self._containers]
        return Snapshot(
            time=time,
            since=self._since,
            window_s=self.window_s,
            counts_s=self.counts_s,
            agent=agent,
            total=self._total(now_ns, rows),
            containers=tuple(rows),
            left_out=self._left_out,
            losses=tuple(reversed(self._losses)),
            skipped_bytes=skipped_bytes,
            damaged=damaged,
        )

    def detail(self, key: str, now_ns: int, agent: Agent) -> Detail | None:
        """One container from inside; None if it is forgotten."""
        seen = self._containers.get(key)
        running = {one.cgroup_path: one for one in agent.containers}
        if seen is not None:
            return seen.detail(now_ns, self._blind_ns, running=self._runs(seen, running, now_ns))
        if key in running:
            return Detail(self._quiet(running[key]), now_ns, (), 0, (), 0, (), 0, (), 0)
        return None

    def _rates(self) -> Rates:
        return Rates(self.window_s, self.counts_s)

    def _record(self, record: Record) -> None:
        event, container = record.event, record.origin.container if record.origin else None
        count(self._all, event)
        if type(event) is Gap:
            self._gap(record, event, container)
        key = container.cgroup_path if container else _cgroup(event)
        if not key:
            return
        self._seen(key, container).see(record)
        if record.verdict is not None and record.verdict.outcome is Outcome.VIOLATION:
            self._found[record.id] = key
            if len(self._found) > FOUND:
                self._found.popitem(last=False)

    def _seen(self, key: str, container: Container | None) -> Seen:
        """What is kept of it. A cgroup that was made anew at the same path is another container."""
        seen = self._containers.get(key)
        if seen is None or (container is not None and container.cgroup != seen.cgroup):
            self._make_room()
            seen = self._containers[key] = Seen(key, container, self._rates())
        self._containers.move_to_end(key)
        return seen

    def _make_room(self) -> None:
        """The one that has not done anything for longest gives way."""
        if len(self._containers) >= self._limit:
            self._containers.popitem(last=False)
            self._left_out += 1

    def _finding(self, finding: Finding) -> None:
        """To the container of its record; where that is long ago, to the newest one that is called so."""
        key = self._found.get(finding.record)
        seen = self._containers.get(key) if key else None
        named = (one for one in reversed(self._containers.values()) if one.name == finding.container)
        seen = seen or next(named, None)
        if seen:
            seen.tell(finding)
        self._fingerprints.add(finding.fingerprint)

    def _gap(self, record: Record, gap: Gap, container: Container | None) -> None:
        if gap.place == COUNTED_ELSEWHERE:
            return
        if gap.place == DOWN:
            self._blind_ns = max(self._blind_ns, gap.time_ns)
        seen = self._containers.get(container.cgroup_path) if container else None
        whose = f" of {seen.name}" if seen else ""
        number = "an unknown number of" if gap.count < 0 else str(gap.count)
        self._losses.append(f"{record.time[11:19]} {number}{f' {gap.what}' if gap.what else ''} events{whose} ({gap.place})")
        self._lost += max(0, gap.count)
        self._lost_unknown |= gap.count < 0

    def _total(self, now_ns: int, rows: list[Row]) -> Row:
        second = now_ns // SECOND_NS
        return Row(
            key=TOTAL,
            name=TOTAL,
            image="",
            running=True,
            events_per_s=round(self._all.events_per_s(second), 2),
            novelty_per_s=round(self._all.novelty.per_s(second), 2),
            execs_per_s=round(self._all.execs.per_s(second), 2),
            findings=len(self._fingerprints),
            findings_more=self._fingerprints.more,
            last_reason="",
            peers=sum(row.peers for row in rows),
            peers_more=any(row.peers_more for row in rows),
            lost=self._lost,
            lost_unknown=self._lost_unknown,
        )

    def _quiet(self, one: Listed) -> Row:
        """A container that runs, and of which the log said nothing in the time that was looked at."""
        return Row(one.cgroup_path, one.name or one.id, image_name(one.image), running=True)

    def _runs(self, seen: Seen, running: dict[str, Listed], now_ns: int) -> bool:
        return seen.key in running or seen.last_ns > now_ns - YOUNG_NS

    def _forget(self, now_ns: int, running: dict[str, Listed]) -> None:
        gone = [key for key, seen in self._containers.items() if key not in running and seen.last_ns < now_ns - ENDED_NS]
        for key in gone:
            del self._containers[key]


def _cgroup(event: Event) -> str:
    """Where an event without a known container comes from; "" for nobody's."""
    actor = getattr(event, "actor", None)
    cgroup = actor.container if actor else getattr(event, "container", 0)
    return f"cgroup {cgroup}" if cgroup else ""
