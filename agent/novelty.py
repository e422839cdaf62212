"""Whole folders and networks that the kernel may answer for, so that novelty that equals the rate costs no Python.

A server that makes a temporary file per request, an unpacker, a walker: each file is new, and each would be a record. Where
a folder has shown many new files and no rule can tell those below it apart, the kernel counts there from now on: one entry, an
exact count, the last actor. What violates a policy is never folded away like this.
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from model.event import Access, Change, Event, Layer, Net, Open, Operation
from model.origin import Container, Origin
from model.verdict import Outcome, Verdict

FIRST = 48  # new direct children of a folder before it is considered
DEEPER = 192  # new files at any depth below a folder
AGAIN = 64  # new ones until a folder that could not be answered for is considered again
LEVELS = 4  # the kernel looks so many folders up
TABLE = 8192  # folders watched at once: the one touched longest ago goes first
CHILDREN, TREE = 2, 1  # enum prefix_scope
_MAKES, _WRITE = int(Access.CREATE | Access.TRUNCATE), int(Access.WRITE)

Network = IPv4Network | IPv6Network


_NAMING = (Operation.RENAME.number, Operation.LINK.number)


class Folder(NamedTuple):
    """A folder in one use: what the kernel counts together."""

    container: int
    device: int
    layer: Layer
    kind: type
    use: int  # Open: reads, writes; Change: operation
    path: str


class Peers(NamedTuple):
    """Neighbouring peers in one use."""

    container: int
    network: Network
    port: int
    protocol: int
    direction: int


Uniform = Callable[[Origin, str, str, Layer], Verdict | None]
UniformNetwork = Callable[[Origin, str, Network, int, int], Verdict | None]


class Novelty:
    """Counts first sights by folder. `answer` and `answer_network` tell the kernel; they return False where they can't."""

    def __init__(
        self,
        uniform: Uniform,
        uniform_network: UniformNetwork,
        answer: Callable[[Folder, int], bool],
        answer_network: Callable[[Peers], bool],
    ) -> None:
        self._uniform, self._uniform_network = uniform, uniform_network
        self._answer, self._answer_network = answer, answer_network
        self._seen: OrderedDict[Folder | Peers, int] = OrderedDict()
        self.evicted = 0  # folders and networks that had to give way: they are counted from the start again

    def see(self, event: Event, origin: Origin, verdict: Verdict | None) -> None:
        """One first sight that was recorded."""
        if verdict is not None and verdict.outcome is Outcome.VIOLATION:
            return
        if type(event) is Open:
            self._file(origin, event.file.path, event.file.device, event.file.layer, Open, _use(int(event.access)))
        elif type(event) is Change:
            self._file(origin, event.file.path, event.file.device, event.file.layer, Change, event.operation.number)
        elif type(event) is Net and event.direction.name == "EGRESS":
            self._peer(event, origin)

    def stands(self, place: "Folder | Peers", container: Container) -> bool:
        """Whether it may still be answered for, under the policies of now."""
        origin = Origin(container, None)
        return self._allows(origin, place) if isinstance(place, Folder) else self._allows_peers(origin, place)

    def _file(self, origin: Origin, path: str, device: int, layer: Layer, kind: type, use: int) -> None:
        above = path
        for level in range(LEVELS):
            above = above.rpartition("/")[0]
            if not above or (level and "/" not in above[1:]):
                return  # never the root, and of folders right below it only the direct children
            folder = Folder(origin.container.cgroup, device, layer, kind, use, above)
            if not _is_time(self._count(folder), DEEPER if level else FIRST):
                continue
            if self._allows(origin, folder) and self._answer(folder, TREE if level else CHILDREN):
                return

    def _count(self, key: Folder | Peers) -> int:
        seen = self._seen
        count = seen.get(key, 0) + 1
        seen[key] = count
        seen.move_to_end(key)
        if len(seen) > TABLE:
            seen.popitem(last=False)
            self.evicted += 1
        return count

    def _allows(self, origin: Origin, folder: Folder) -> bool:
        """Every verb that this use is judged under is decided alike for all below, and it is no violation."""
        for verb in _verbs(folder):
            verdict = self._uniform(origin, verb, folder.path, folder.layer)
            if verdict is None or verdict.outcome is Outcome.VIOLATION:
                return False
        return True

    def _peer(self, event: Net, origin: Origin) -> None:
        address = ip_address(event.address)
        network = ip_network((address, 24 if address.version == 4 else 64), strict=False)
        peers = Peers(origin.container.cgroup, network, event.port, int(event.protocol), event.direction.number)
        if not _is_time(self._count(peers), FIRST):
            return
        if self._allows_peers(origin, peers):
            self._answer_network(peers)

    def _allows_peers(self, origin: Origin, peers: Peers) -> bool:
        verdict = self._uniform_network(origin, "egress", peers.network, peers.port, peers.protocol)
        return verdict is not None and verdict.outcome is not Outcome.VIOLATION


def _is_time(count: int, first: int) -> bool:
    """Asking the policies costs as much as the rest of an event: where the answer was no, it is not asked of each."""
    return count == first or (count > first and count % AGAIN == 0)


def _use(access: int) -> int:
    """As the kernel counts below a folder: making and emptying a file is writing, whatever it was opened for."""
    return access & 3 | (_WRITE if access & _MAKES else 0)


def _verbs(folder: Folder) -> tuple[str, ...]:
    if folder.kind is Change:  # a new name is judged under read, too
        return ("write", "read") if folder.use in _NAMING else ("write",)
    return tuple(verb for verb, bit in (("read", Access.READ), ("write", Access.WRITE)) if folder.use & bit)
