"""Tables that find the decisive one of many rules. Built once a container, asked for every event.

Of several rules that match, always the same one is decisive, however they are ordered in their files: the word `image`,
then exact paths, then the deepest folder, then a whole folder before a pattern, then the rule's id; of networks the longest
prefix, then one port, a range, any; of names an exact one before `*.`, the longest first.

Cost: one dictionary look-up for exact paths, one step for each name of the path for all patterns together, and one look-up for
each length of prefix that some network has.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address

from msgspec import Struct
from msgspec.structs import replace

from model.automaton import Automaton
from model.event import File, Flag, Layer, Unix
from model.glob import Glob, native
from model.policy import NameRule, PathRule, PeerRule, Ports, Rule, UnixRule
from model.program import Called
from model.rule import When
from model.verdict import Verdict

ALL_LAYERS = (1 << 32) - 1
LOOPBACK = 127 << 24 | 1
_IMAGE = 1 << Layer.IMAGE.number
_MEMFD = 1 << Layer.MEMFD.number
_PROCESS = 1 << Layer.PROC_SELF.number | 1 << Layer.PROC_OTHER.number
_CLAIMED = int(Flag.CLAIMED | Flag.OUTSIDE)
_UNSURE = int(Flag.CUT | Flag.UNSTABLE | Flag.DISCONNECTED) | _CLAIMED


class Entry(Struct, frozen=True):
    """A rule of a policy for one verb, and the verdict where it is decisive."""

    rule: Rule
    verdict: Verdict
    layers: int  # bit n: files of layer n

    @property
    def rank(self) -> tuple[int, int, bool, str]:
        """The smallest of those that match is decisive."""
        glob = self.rule.glob if isinstance(self.rule, PathRule | UnixRule) else None
        if glob is None:
            return 0, 0, False, self.verdict.rule
        return (1 if glob.literal else 2), -glob.folder.count("/"), not glob.whole, self.verdict.rule


def canonical(path: str, bit: int) -> str:
    """The path that rules are compared with: native, process ids folded, what is no absolute path made none that matches."""
    path = native(path)
    if bit & _PROCESS:
        return _without_ids(path, bit)
    if path[:1] != "/" and bit & _MEMFD:
        return "/" + path
    return path


def _without_ids(path: str, bit: int) -> str:
    """The first number is the process: `self` or, for all others, 0. Further ones (threads, descriptors) are 0."""
    first = "self" if bit >> Layer.PROC_SELF.number & 1 else "0"
    names = path.split("/")
    for index, name in enumerate(names):
        if name[:1].isdigit():
            names[index], first = first, "0"
    return "/".join(names)


def by_path(flags: int) -> bool:
    """Whether an allow rule may trust the file's name."""
    return not flags & _UNSURE


def by_layer(flags: int) -> bool:
    """Whether an allow rule may trust the file's layer."""
    return not flags & _CLAIMED


def socket_file(event: Unix) -> File | None:
    """The file of a unix socket as rules see it: a name that nobody was reached by is believed, for nothing was gained by it.

    Programs ask for services that may be absent: glibc for nscd at each look-up of a user. A policy must be able to allow that.
    """
    file = event.file
    if file is None or event.result <= 0 or not file.flags & Flag.CLAIMED:
        return file
    return replace(file, flags=file.flags & ~Flag.CLAIMED, layer=Layer.TMPFS)


Row = tuple[int, Verdict, When | None]  # layers, verdict, conditions on arguments


class PathTable:
    """Rules about paths, some of them on condition of a program's arguments."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, tuple[Row, ...]] = {}
        self._image: list[tuple[Verdict, When | None]] = []
        patterns: list[tuple[Glob, Row]] = []
        for entry in sorted(entries, key=lambda entry: entry.rank):
            glob = entry.rule.glob if isinstance(entry.rule, PathRule | UnixRule) else None
            row = (entry.layers, entry.verdict, entry.rule.when if entry.rule.when.of_arguments else None)
            if glob is None:
                self._image.append(row[1:])
            elif glob.literal:
                self._exact[glob.text] = (*self._exact.get(glob.text, ()), row)
            else:
                patterns.append((glob, row))
        self._patterns = Automaton(patterns) if patterns else None

    @property
    def used(self) -> bool:
        """Whether there is any rule."""
        return bool(self._exact or self._patterns or self._image)

    def find(self, path: str, bit: int, called: Called | None = None) -> Verdict | None:
        """The verdict of the decisive rule for a canonical path on a layer. `called`: how the program there was called."""
        if bit == _IMAGE and self._image:
            found = self.of_image(bit, called)
            if found is not None:
                return found
        for layers, verdict, when in self._exact.get(path, ()):
            if layers & bit and (when is None or _holds(when, called)):
                return verdict
        if self._patterns is not None and path[:1] == "/":
            for layers, verdict, when in self._patterns.find(path):
                if layers & bit and (when is None or _holds(when, called)):
                    return verdict
        return None

    def of_image(self, bit: int, called: Called | None = None) -> Verdict | None:
        """As `find`, for a file whose layer is sure and whose name isn't."""
        if bit == _IMAGE:
            for verdict, when in self._image:
                if when is None or _holds(when, called):
                    return verdict
        return None


def _holds(when: When, called: Called | None) -> bool:
    """Whether a program was called as a rule wants it."""
    if called is None or (when.called and called.name not in when.called):
        return False
    return when.args is None or when.args.fit(called.args)


class PeerTable:
    """Rules about addresses and ports."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._networks: tuple[dict[int, dict[int, _PortTable]], ...] = ({}, {})  # IPv4, IPv6: shift → prefix → ports
        self._anywhere = _PortTable()
        for entry in sorted(entries, key=lambda entry: entry.rank):
            if isinstance(entry.rule, PeerRule):
                self._table(entry.rule).add(entry.rule.ports, entry.verdict)
        self._rows = tuple(tuple(sorted(table.items())) for table in self._networks)

    def _table(self, rule: PeerRule) -> "_PortTable":
        network = rule.network
        if network is None:
            return self._anywhere
        shift = network.max_prefixlen - network.prefixlen
        prefixes = self._networks[network.version == 6].setdefault(shift, {})
        return prefixes.setdefault(int(network.network_address) >> shift, _PortTable())

    def find(self, address: tuple[int, int], protocol: int, port: int) -> Verdict | None:
        """The verdict of the decisive rule. `address`: see `number`."""
        six, bits = address
        for shift, prefixes in self._rows[six]:
            ports = prefixes.get(bits >> shift)
            if ports is not None:
                found = ports.find(protocol, port)
                if found is not None:
                    return found
        return self._anywhere.find(protocol, port)


class NameTable:
    """Rules about the DNS names that addresses were looked up by."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._names: dict[str, _PortTable] = {}  # exact ones, and what stands behind "*."
        self._below: dict[str, _PortTable] = {}
        self._any = _PortTable()  # of all names: whether a port is spoken of
        for entry in sorted(entries, key=lambda entry: entry.rank):
            if isinstance(entry.rule, NameRule):
                self._add(entry.rule, entry.verdict)

    def _add(self, rule: NameRule, verdict: Verdict) -> None:
        wild = rule.name.startswith("*.")
        table = self._below if wild else self._names
        table.setdefault(rule.name.removeprefix("*."), _PortTable()).add(rule.ports, verdict)
        self._any.add(rule.ports, verdict)

    def speaks_of(self, protocol: int, port: int) -> bool:
        """Whether a name could matter here."""
        return self._any.find(protocol, port) is not None

    def find(self, name: str, protocol: int, port: int) -> Verdict | None:
        """The verdict of the decisive rule for a plain name (`model.fields.plain_name`); for "" there is none."""
        exact = self._names.get(name)
        found = exact.find(protocol, port) if exact is not None else None
        while found is None and "." in name:
            name = name.partition(".")[2]
            below = self._below.get(name)
            found = below.find(protocol, port) if below is not None else None
        return found


class _PortTable:
    """Rules about ports, of one network."""

    def __init__(self) -> None:
        self.exact: dict[int, Verdict] = {}
        self.ranges: list[tuple[int, int, int, Verdict]] = []
        self.any: Verdict | None = None

    def add(self, ports: tuple[Ports, ...], verdict: Verdict) -> None:
        """A rule for these ports; () for all. The first one for a port stays."""
        if not ports:
            self.any = self.any or verdict
        for one in ports:
            if one.low == one.high:
                self.exact.setdefault(one.protocol << 16 | one.low, verdict)
            else:
                self.ranges.append((one.protocol, one.low, one.high, verdict))
                self.ranges.sort(key=lambda row: (row[2] - row[1], row[3].rule))

    def find(self, protocol: int, port: int) -> Verdict | None:
        """The verdict on a port."""
        found = self.exact.get(protocol << 16 | port)
        if found is not None:
            return found
        for wanted, low, high, verdict in self.ranges:
            if low <= port <= high and wanted == protocol:
                return verdict
        return self.any


def own(address: str) -> tuple[int, int]:
    """(0, bits) for IPv4 and what is mapped from it, (1, bits) for IPv6. Raises ValueError for what is no address."""
    if ":" not in address:
        first, second, third, fourth = address.split(".")
        return 0, int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)
    bits = int(IPv6Address(address))
    return (0, bits & 0xFFFFFFFF) if bits >> 32 == 0xFFFF else (1, bits)


def number(address: str) -> tuple[int, int]:
    """The same of a peer: the unspecified address is the loopback one, for the kernel connects there."""
    six, bits = own(address)
    return six, bits or (1 if six else LOOPBACK)


def is_loopback(address: tuple[int, int]) -> bool:
    """127.0.0.0/8 and ::1."""
    six, bits = address
    return bits == 1 if six else bits >> 24 == 127
