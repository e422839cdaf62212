"""What is kept of one container. Pure; every list is bounded, and knows what it had to leave out."""

import errno
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from agent.outputs.workload import image_name, label, network
from agent.top.distinct import Distinct
from agent.top.processes import Processes
from agent.top.rates import Rates
from agent.top.snapshot import Detail, Peer, Row, Told
from model.event import (
    Access,
    Change,
    Direction,
    Event,
    Exec,
    Exit,
    FlowCount,
    Gap,
    Load,
    Many,
    Net,
    Open,
    Operation,
    Socket,
    Unix,
)
from model.origin import Container
from model.record import Finding, Record

SECOND_NS: Final = 1_000_000_000
PEERS, FINDINGS, FILES = 100, 50, 30
FINGERPRINTS: Final = 1000
PEER_NS: Final = 300 * SECOND_NS  # a peer counts for so long after the last connect
COUNTED_ELSEWHERE: Final = "budget.unsent"  # a gap of what is in its flow's count already
NOVEL: Final = frozenset({Open, Many, Load, Change, Net, Socket, Unix})
_MAKES: Final = {Operation.LINK, Operation.SYMLINK, Operation.MKDIR, Operation.MKNOD, Operation.RENAME}
_TEXT: Final = 160  # characters of a text that are kept
K = TypeVar("K")
V = TypeVar("V")


class Seen:
    """One container since it was first seen. `container` is None where nobody can name it."""

    def __init__(self, key: str, container: Container | None, rates: Rates) -> None:
        self.key, self.rates = key, rates
        self.cgroup = container.cgroup if container else 0
        self.name, self.image, self._id = key, "", ""
        self.last_ns = 0
        self.processes = Processes()
        self.lost = 0
        self.lost_unknown = False
        self._findings: OrderedDict[str, Finding] = OrderedDict()  # by fingerprint, the newest last
        self._fingerprints = Distinct(FINGERPRINTS)
        self._peers: OrderedDict[tuple[str, str], Peer] = OrderedDict()  # the last one that was connected with last
        self._peer_of: OrderedDict[bytes, tuple[str, str]] = OrderedDict()  # by flow
        self._files: deque[Told] = deque(maxlen=FILES)
        self._peers_left_out = self._files_left_out = 0
        self._crowded_ns = 0  # when a peer had to give way that still counted

    def see(self, record: Record) -> None:
        """One record of it."""
        event, process = record.event, record.origin.process if record.origin else None
        if record.origin is not None and record.origin.container.id != self._id:
            self._identify(record.origin.container)
        count(self.rates, event)
        self.last_ns = max(self.last_ns, event.time_ns)
        if process is not None and type(event) is Exit:
            self.processes.end(process, event)
        elif process is not None and type(event) is not FlowCount:  # the process of a count may have ended long ago
            self.processes.see(process, event.time_ns)
        look = _LOOKS.get(type(event))
        if look:
            look(self, record, event)

    def _identify(self, container: Container) -> None:
        """Its runtime's record may be found only after it has done something."""
        self.name, self.image, self._id = label(container), image_name(container.image), container.id

    def tell(self, finding: Finding) -> None:
        """A finding of it. One that ends a window has the window's whole count."""
        self._fingerprints.add(finding.fingerprint)
        _renewed(self._findings, finding.fingerprint, finding, FINDINGS)

    def row(self, now_ns: int, *, running: bool) -> Row:
        """Its line of the table."""
        second = now_ns // SECOND_NS
        newest = next(reversed(self._findings.values()), None)
        return Row(
            key=self.key,
            name=self.name,
            image=self.image,
            running=running,
            events_per_s=round(self.rates.events_per_s(second), 2),
            novelty_per_s=round(self.rates.novelty.per_s(second), 2),
            execs_per_s=round(self.rates.execs.per_s(second), 2),
            findings=len(self._fingerprints),
            findings_more=self._fingerprints.more,
            last_reason=newest.reason if newest else "",
            peers=sum(1 for peer in self._peers.values() if _is_with(peer, now_ns)),
            peers_more=self._crowded_ns > now_ns - PEER_NS,
            lost=self.lost,
            lost_unknown=self.lost_unknown,
        )

    def detail(self, now_ns: int, blind_ns: int, *, running: bool) -> Detail:
        """All that is kept."""
        return Detail(
            row=self.row(now_ns, running=running),
            now_ns=now_ns,
            processes=self.processes.tree(now_ns, blind_ns),
            processes_left_out=self.processes.left_out,
            findings=tuple(map(_told, reversed(self._findings.values()))),
            findings_left_out=len(self._fingerprints) - len(self._findings),
            peers=tuple(reversed(self._peers.values())),
            peers_left_out=self._peers_left_out,
            files=tuple(reversed(self._files)),
            files_left_out=self._files_left_out,
        )

    def _net(self, _: Record, event: Net) -> None:
        key = (event.direction.name.lower(), network(event))
        known = self._peers.get(key)
        problem = errno.errorcode.get(event.result, str(event.result)) if event.result > 0 else ""
        peer = Peer(*key, event.name[:_TEXT], problem, event.time_ns, known.count + 1 if known else 1)
        gone = _renewed(self._peers, key, peer, PEERS)
        self._peers_left_out += gone is not None
        if gone and _is_with(gone, event.time_ns):
            self._crowded_ns = event.time_ns
        _renewed(self._peer_of, event.flow, key, 2 * PEERS)

    def _count(self, _: Record, event: FlowCount) -> None:
        key = self._peer_of.get(event.flow)
        peer = self._peers.get(key) if key else None
        if key and peer:
            times = max(peer.count, event.count)
            last_ns = max(peer.last_ns, event.last_ns)
            _renewed(self._peers, key, Peer(peer.direction, peer.address, peer.name, peer.problem, last_ns, times), PEERS)

    def _gap(self, _: Record, event: Gap) -> None:
        if event.place == COUNTED_ELSEWHERE:
            return
        self.lost_unknown |= event.count < 0
        self.lost += max(0, event.count)

    def _open(self, record: Record, event: Open) -> None:
        if event.access & Access.CREATE:
            self._made(record, event.file.path, "created")

    def _change(self, record: Record, event: Change) -> None:
        if event.operation in _MAKES:
            self._made(record, (event.target or event.file).path, event.operation.name.lower())

    def _made(self, record: Record, path: str, how: str) -> None:
        self._files_left_out += len(self._files) == FILES
        process = record.origin.process if record.origin else None
        program = process.path.rpartition("/")[2] if process else ""
        self._files.append(Told(record.time, (how, path[-_TEXT:], program[:_TEXT])))


_LOOKS: dict[type[Event], Callable[[Seen, Record, Any], None]] = {
    Net: Seen._net,  # noqa: SLF001 - the class's own table
    FlowCount: Seen._count,  # noqa: SLF001
    Gap: Seen._gap,  # noqa: SLF001
    Open: Seen._open,  # noqa: SLF001
    Change: Seen._change,  # noqa: SLF001
}


def count(rates: Rates, event: Event) -> None:
    """An event in the rates; repeats apart, and without what the agent found at its start: it happened before."""
    second, kind = event.time_ns // SECOND_NS, type(event)
    if isinstance(event, FlowCount):
        rates.repeats.add(second, event.added)
        return
    if kind is Gap or getattr(event, "standing", False):
        return
    rates.records.add(second)
    if kind in NOVEL:
        rates.novelty.add(second)
    elif kind is Exec:
        rates.execs.add(second)


def _renewed(table: "OrderedDict[K, V]", key: K, value: V, limit: int) -> V | None:
    """Put it at the table's end; what had to give way for it."""
    table[key] = value
    table.move_to_end(key)
    return table.popitem(last=False)[1] if len(table) > limit else None


def _is_with(peer: Peer, now_ns: int) -> bool:
    ours = peer.direction in (Direction.EGRESS.name.lower(), Direction.INGRESS.name.lower())
    return ours and not peer.problem and peer.last_ns > now_ns - PEER_NS


def _told(finding: Finding) -> Told:
    short = finding.id.partition("/")[2].partition("/")[2]  # what `vedette explain` takes
    times = f"{finding.count} times" if finding.count > 1 else ""
    words = (finding.severity, short, finding.reason, finding.subject[:_TEXT], times, finding.source)
    return Told(finding.time, words, loud=finding.severity in ("high", "critical"))
