"""What one workload did, from its records: each distinct subject of a verb once, with how often, when and by whom.

Feed it the records in the order of the log, then the gaps. Not everything that was recorded is behaviour: the runtime's own
steps, and what was entered from outside (exec and debug sessions), are counted and left out.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, TypeAlias

from msgspec import Struct, field

from model.event import (
    Access,
    Change,
    Direction,
    Event,
    Exec,
    File,
    FlowCount,
    Gap,
    Handover,
    Load,
    Many,
    Net,
    Open,
    Session,
    Unix,
)  # fmt: skip
from model.match import canonical, socket_file
from model.origin import Origin
from model.record import Record
from model.verdict import Mode, Outcome

SUBJECTS: Final = 20_000  # that are told apart; more are counted, and the answer is partial
FLOWS: Final = 65_536  # whose later counts find their subject
IDS: Final = 10  # records that are named for a subject
CAUSES: Final = 256
CONTAINERS: Final = 16_384
ALONE: Final = "counts without a first sight"
OURS: Final = (Session.MAIN, Session.STANDING)
_WRITES: Final = int(Access.WRITE | Access.CREATE | Access.TRUNCATE | Access.APPEND)


class Path(Struct, frozen=True):
    """A file of exec, load, read or write, as rules see it."""

    verb: str
    path: str  # canonical: see model.match
    layer: int  # number of the Layer
    flags: int


class Peer(Struct, frozen=True):
    """A peer of egress, or a local address of listen."""

    verb: str
    address: str
    protocol: int
    port: int


class Socket(Struct, frozen=True):
    """A unix socket."""

    name: str  # canonical path, or the abstract name with a "/" before it
    abstract: bool
    layer: int
    flags: int
    verb: str = "egress"


Subject: TypeAlias = Path | Peer | Socket


class Seen(Struct):
    """One subject, and what is known of it."""

    subject: Subject
    event: Event  # the first one
    origin: Origin
    ids: list[str] = []
    records: int = 0
    times: int = 0
    sessions: set[Session] = set()
    early_only: bool = True  # never later than the first seconds of a container that was seen to start
    violated: Counter[tuple[str, str]] = field(default_factory=Counter)  # policy in force, reason
    name: str = ""  # DNS name of a peer


class Time(Struct):
    """When a boot's records are from. Boot times; `first` and `last` are those of wall clocks."""

    first_ns: int
    last_ns: int
    first: str
    last: str


class Behaviour:
    """Of one workload: several containers of it, one after the other or side by side, are one behaviour."""

    def __init__(self, early_s: float = 30.0) -> None:
        self.seen: dict[Subject, Seen] = {}
        self.records = 0
        self.left_out: Counter[str] = Counter()  # by session or reason
        self.lost: dict[tuple[str, str], int] = {}  # place and kind of what was not itemised: how many, -1 if unknown
        self.containers: set[tuple[str, int]] = set()  # boot and cgroup
        self.images: set[str] = set()
        self.times: dict[str, Time] = {}  # by boot
        self.longest_s = 0.0  # that a container was watched from its start
        self._early_ns = int(early_s * 1e9)
        self._started: dict[tuple[str, int], int] = {}
        self._flows: OrderedDict[tuple[str, bytes], tuple[list[Seen], list[int]]] = OrderedDict()

    def see(self, record: Record) -> None:
        """One record of this workload, or a gap."""
        event = record.event
        if isinstance(event, Gap):
            self._lost(record.where.boot, event)
            return
        if record.origin is None:
            return
        container = record.origin.container
        self.records += 1
        if len(self.containers) < CONTAINERS:
            self.containers.add((record.where.boot, container.cgroup))
        if len(self.images) < CAUSES:
            self.images.add(container.image)
        self._clock(record)
        if isinstance(event, Handover):
            if len(self._started) >= CONTAINERS:
                self._started.clear()
            self._started[record.where.boot, container.cgroup] = event.time_ns
        elif isinstance(event, FlowCount):
            self._counted(record, event, container.cgroup)
        elif isinstance(event, Many):
            self._lose(f"only counted below {event.file.path}", "open", -1)
        else:
            self._behaved(record, event, container.cgroup)

    def told_apart_s(self) -> float:
        """So long a container was watched from its start; 0 where that does not say what came later: some counts are nobody's."""
        return 0.0 if self.left_out[ALONE] else self.longest_s

    def _lost(self, boot: str, gap: Gap) -> None:
        """Of this workload, or of nobody known, in the time of its records."""
        time = self.times.get(boot)
        if time is None or (gap.container and (boot, gap.container) not in self.containers):
            return
        if gap.time_ns >= time.first_ns and gap.began_ns <= time.last_ns:
            self._lose(gap.place, gap.what or "all", gap.count)

    def _lose(self, place: str, what: str, count: int) -> None:
        key = (place, what) if (place, what) in self.lost or len(self.lost) < CAUSES else ("elsewhere", "other")
        before = self.lost.get(key, 0)
        self.lost[key] = -1 if count < 0 or before < 0 else before + count

    def _clock(self, record: Record) -> None:
        time_ns = getattr(record.event, "last_ns", 0) or record.event.time_ns
        time = self.times.setdefault(record.where.boot, Time(time_ns, time_ns, record.time, record.time))
        if time_ns < time.first_ns:
            time.first_ns, time.first = time_ns, record.time
        if time_ns > time.last_ns:
            time.last_ns, time.last = time_ns, record.time

    def _behaved(self, record: Record, event: Event, cgroup: int) -> None:
        subjects = list(subjects_of(event))
        session = getattr(getattr(event, "actor", None), "session", None)
        if session not in OURS:
            if subjects:
                self.left_out[f"{session} sessions"] += 1
            return
        seen = [one for subject in subjects if (one := self._subject(subject, record))]
        early = self._is_early(record.where.boot, cgroup, event.time_ns)
        flow = getattr(event, "flow", b"")
        again = getattr(event, "standing", False) and (record.where.boot, flow) in self._flows  # judged by other policies
        for one in seen:
            one.times += not again
            _note(one, record, session, early=early)
        if flow and not again:
            self._remember(record.where.boot, flow, seen)

    def _subject(self, subject: Subject, record: Record) -> Seen | None:
        seen = self.seen.get(subject)
        if seen is None and record.origin is not None:
            if len(self.seen) >= SUBJECTS:
                self._lose(f"beyond {SUBJECTS} distinct subjects", "more", 1)
                return None
            seen = self.seen[subject] = Seen(subject, record.event, record.origin)
        return seen

    def _is_early(self, boot: str, cgroup: int, time_ns: int) -> bool:
        started_ns = self._started.get((boot, cgroup))
        if started_ns is None:
            return False
        self.longest_s = max(self.longest_s, (time_ns - started_ns) / 1e9)
        return time_ns - started_ns <= self._early_ns

    def _remember(self, boot: str, flow: bytes, seen: list[Seen]) -> None:
        known = self._flows.setdefault((boot, flow), (seen, [0]))
        known[1][0] += 1
        if len(self._flows) > FLOWS:
            self._flows.popitem(last=False)

    def _counted(self, record: Record, event: FlowCount, cgroup: int) -> None:
        """The kernel's count of a flow holds every time that was itemised, too."""
        known = self._flows.get((record.where.boot, event.flow))
        if known is None:
            self._unplaced(event)
            return
        seen, counted = known
        more = max(0, event.count - counted[0])
        counted[0] += more
        early = self._is_early(record.where.boot, cgroup, event.last_ns)
        for one in seen:
            one.times += more
            one.early_only = one.early_only and early
        if event.final:
            del self._flows[record.where.boot, event.flow]

    def _unplaced(self, event: FlowCount) -> None:
        if event.seen in OURS:
            if event.text:
                self._lose(f"counted as a whole: {event.text}", "more", event.added)
            else:
                self.left_out[ALONE] += event.added


def _note(seen: Seen, record: Record, session: Session, *, early: bool) -> None:
    verdict = record.verdict
    seen.records += 1
    seen.early_only = seen.early_only and early
    seen.sessions.add(session)
    seen.name = seen.name or getattr(record.event, "name", "")
    if len(seen.ids) < IDS:
        seen.ids.append(record.id)
    if verdict and verdict.outcome is Outcome.VIOLATION and verdict.mode is Mode.ALERT and verdict.verb == seen.subject.verb:
        seen.violated[verdict.policy, verdict.reason] += 1


def subjects_of(event: Event) -> Iterator[Subject]:
    """What of an event policies speak of. Loopback is left out: it is allowed without any rule."""
    if isinstance(event, Exec):
        yield from (_path("exec", file) for file in (event.file, event.script) if file)
    elif isinstance(event, Load):
        yield _path("load", event.file)
    elif isinstance(event, Open):
        yield from _opened(event)
    elif isinstance(event, Change):
        yield from (_path("write", file) for file in (event.file, event.target) if file)
    elif isinstance(event, Net):
        yield from _met(event)
    elif isinstance(event, Unix):
        yield _socket(event)


def _opened(event: Open) -> Iterator[Subject]:
    access = int(event.access)
    if access & _WRITES:
        yield _path("write", event.file)
    if access & 1 or not access & _WRITES:
        yield _path("read", event.file)


def _path(verb: str, file: File) -> Path:
    bit = 1 << file.layer.number
    return Path(verb, canonical(file.path, bit), file.layer.number, int(file.flags))


def _met(event: Net) -> Iterator[Subject]:
    if event.direction is Direction.EGRESS:
        if not _is_loopback(event.address):
            yield Peer("egress", event.address, int(event.protocol), event.port)
    elif event.direction in (Direction.LISTEN, Direction.BIND):
        yield Peer("listen", event.address, int(event.protocol), event.port)


def _is_loopback(address: str) -> bool:
    """As the judge takes them: the unspecified address leads to loopback, too."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_unspecified


def _socket(event: Unix) -> Socket:
    file = socket_file(event)
    if file is None:
        return Socket("/" + canonical(event.abstract, 0), True, 0, 0)  # noqa: FBT003 - a field
    return Socket(canonical(file.path, 1 << file.layer.number), False, file.layer.number, int(file.flags))  # noqa: FBT003
