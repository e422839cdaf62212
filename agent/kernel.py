"""What the loop tells the kernel, in the words of containers and paths; the sensor speaks of hashes and devices."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

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


class LiveKernel:
    """Prefix answers, tripwires, and the end of containers. Belongs to the loop."""

    def __init__(self, flows: Flows, node: Node, policies: Policies, seed: int) -> None:
        self._flows, self._node, self._policies, self._seed = flows, node, policies, seed
        self._prefixes: dict[int, set[Prefix]] = {}  # by container
        self.refused = 0  # folders and networks that the kernel has no room to answer for

    def decide(self, cgroup: int, state: int) -> None:
        """What a cgroup is."""
        self._flows.decide(cgroup, state)

    def protect(self, container: Container) -> None:
        """Denied paths and networks are never budgeted away."""
        paths, names, networks = self._policies.compiled(container).tripwires()
        for name in names:
            self._flows.guard_name(container.cgroup, hash_names(self._seed, to_bytes(name)))
        for path in paths:
            place = self._node.containers.place(container.cgroup, path)
            if place:
                self._flows.guard_file(container.cgroup, hash_names(self._seed, to_bytes(place[1])), place[0])
        for network in networks:
            self._flows.guard_network(container.cgroup, _address(network), _bits(network))

    def drop(self, cgroup: int) -> None:
        """A cgroup of the host's is gone."""
        self._flows.drop(cgroup)

    def end(self, containers: Sequence[int]) -> list[Event]:
        """The last counts and gaps of containers; then nothing of them is left in the kernel."""
        for container in containers:
            self._prefixes.pop(container, None)
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
        return self._install(prefix, children_only=scope != TREE)

    def answer_network(self, peers: Peers) -> bool:
        """Count this network's addresses from now on."""
        address = _address(peers.network)
        eight = address[8:] if peers.network.version == 4 else address[:8]
        what = layout.KIND_NET << 24 | peers.direction
        device = peers.port << 16 | peers.protocol
        prefix = Prefix(peers.container, int.from_bytes(eight, "little"), device, what, str(peers.network))
        return self._install(prefix, children_only=False)

    def forget_prefixes(self) -> list[FlowCount]:
        """The policies changed: judge everything again. What was counted since the last sweep."""
        prefixes = [prefix for of_one in self._prefixes.values() for prefix in of_one]
        self._prefixes.clear()
        counts = [self._flows.uninstall(prefix) for prefix in prefixes]
        return [count for count in counts if count is not None and count.added]

    def _install(self, prefix: Prefix, *, children_only: bool) -> bool:
        mine = self._prefixes.setdefault(prefix.container, set())
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
        mine.add(prefix)
        return True


def _address(network: IPv4Network | IPv6Network) -> bytes:
    packed = network.network_address.packed
    return _MAPPED + packed if network.version == 4 else packed


def _bits(network: IPv4Network | IPv6Network) -> int:
    return network.prefixlen + (96 if network.version == 4 else 0)
