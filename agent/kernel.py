"""What the loop tells the kernel, in the words of containers and paths; the sensor speaks of hashes and devices."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from agent.node.locate import Node
from agent.novelty import TREE, Folder, Peers
from agent.policies import Policies
from agent.sensor import layout
from agent.sensor.flows import Flows, Prefix
from agent.sensor.names import hash_names
from model.event import Event, FlowCount, Open
from model.origin import Container
from model.text import to_bytes

PREFIXES = 1024  # of one container: the kernel's map is for all of them
_MAPPED = bytes(10) + b"\xff\xff"

Network = IPv4Network | IPv6Network
Stands = Callable[[Folder | Peers, Container], bool]


class Guards(NamedTuple):
    """What a container's tripwires are."""

    files: set[tuple[int, int]]  # hash of the names, device
    names: set[int]  # hashes of single names, wherever they lie
    networks: set[Network]


_UNGUARDED = Guards(set(), set(), set())


class LiveKernel:
    """Prefix answers, tripwires, and the end of containers. Belongs to the loop."""

    def __init__(self, flows: Flows, node: Node, policies: Policies, seed: int) -> None:
        self._flows, self._node, self._policies, self._seed = flows, node, policies, seed
        self._prefixes: dict[int, dict[Prefix, Folder | Peers]] = {}  # by container
        self._guarded: dict[int, Guards] = {}  # by container
        self.refused = 0  # folders and networks that the kernel has no room to answer for

    def decide(self, cgroup: int, state: int) -> None:
        """What a cgroup is."""
        self._flows.decide(cgroup, state)

    def protect(self, container: Container) -> None:
        """Denied paths and networks are never budgeted away; what is no longer denied is like anything else again."""
        cgroup, flows = container.cgroup, self._flows
        files, names, networks = guards = self._guards(container)
        old_files, old_names, old_networks = self._guarded.get(cgroup, _UNGUARDED)
        for name in names - old_names:
            flows.guard_name(cgroup, name)
        for file in files - old_files:
            flows.guard_file(cgroup, *file)
        for network in networks - old_networks:
            flows.guard_network(cgroup, _address(network), _bits(network))
        for name in old_names - names:
            flows.unguard_name(cgroup, name)
        for file in old_files - files:
            flows.unguard_file(cgroup, *file)
        for network in old_networks - networks:
            flows.unguard_network(cgroup, _address(network), _bits(network))
        if any(guards) or cgroup in self._guarded:
            self._guarded[cgroup] = guards

    def _guards(self, container: Container) -> Guards:
        paths, names, networks = self._policies.compiled(container).tripwires()
        places = [self._node.containers.place(container.cgroup, path) for path in paths]
        files = {(hash_names(self._seed, to_bytes(place[1])), place[0]) for place in places if place}
        return Guards(files, {hash_names(self._seed, to_bytes(name)) for name in names}, set(networks))

    def drop(self, cgroup: int) -> None:
        """A cgroup of the host's is gone."""
        self._flows.drop(cgroup)

    def end(self, containers: Sequence[int]) -> list[Event]:
        """The last counts and gaps of containers; then nothing of them is left in the kernel."""
        for container in containers:
            self._prefixes.pop(container, None)
            self._guarded.pop(container, None)
        swept, gaps = self._flows.end(*containers)
        return [*swept.firsts, *swept.counts, *gaps]

    def answer(self, folder: Folder, scope: int) -> bool:
        """Count below this folder from now on. False where it has no one place in its filesystem, or there is no room."""
        inside = self._node.containers.whole(folder.container, folder.path, folder.device, folder.layer)
        if inside is None:
            return False
        kind = layout.KIND_OPEN if folder.kind is Open else layout.KIND_CHANGE
        what = kind << 24 | folder.layer.number << 16 | folder.use
        names = hash_names(self._seed, to_bytes(inside))
        prefix = Prefix(folder.container, names, folder.device, what, folder.path)
        return self._install(prefix, folder, children_only=scope != TREE)

    def answer_network(self, peers: Peers) -> bool:
        """Count this network's addresses from now on."""
        address = _address(peers.network)
        eight = address[8:] if peers.network.version == 4 else address[:8]
        what = layout.KIND_NET << 24 | peers.direction
        device = peers.port << 16 | peers.protocol
        prefix = Prefix(peers.container, int.from_bytes(eight, "little"), device, what, str(peers.network))
        return self._install(prefix, peers, children_only=False)

    def ask_prefixes(self, stands: Stands) -> Iterator[FlowCount | None]:
        """The policies changed. What can't be answered for any more is judged one by one again; what was counted there untold.

        Goes on with each step; None: there is nothing to tell.
        """
        for cgroup, mine in list(self._prefixes.items()):
            container = self._node.containers.of(cgroup)
            for prefix, place in list(mine.items()):
                if container is not None and stands(place, container):
                    yield None
                    continue
                mine.pop(prefix, None)
                count = self._flows.uninstall(prefix)
                yield count if count is not None and count.added else None

    def _install(self, prefix: Prefix, place: Folder | Peers, *, children_only: bool) -> bool:
        mine = self._prefixes.setdefault(prefix.container, {})
        if prefix in mine:
            return True
        if len(mine) >= PREFIXES:
            self.refused += 1
            return False
        try:
            self._flows.install(prefix, children_only=children_only)
        except OSError as error:  # the map is full, or the kernel already counts there, because the quota is spent
            self.refused += not isinstance(error, FileExistsError)
            return False
        mine[prefix] = place
        return True


def _address(network: Network) -> bytes:
    packed = network.network_address.packed
    return _MAPPED + packed if network.version == 4 else packed


def _bits(network: Network) -> int:
    return network.prefixlen + (96 if network.version == 4 else 0)
