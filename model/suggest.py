"""What was seen of a workload → the policy that would have allowed it, rule by rule with the records that it comes from.

Programs are named one by one, what the image has is one word, other paths are collapsed (see `model.collapse`), peers have their
ports. What no rule can allow (a name that is not sure, a file on a mount of the workload's own) gets none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from model.behaviour import IDS, Path, Peer, Seen, Socket
from model.collapse import collapse, literal, pattern_of
from model.document import IMAGE, PROTOCOLS, VERBS
from model.event import Flag, Layer, Protocol, Session
from model.glob import GlobError, check
from model.match import by_layer, by_path
from model.text import printable

Address: TypeAlias = IPv4Address | IPv6Address

MANY: Final = {"exec": 40, "load": 20, "read": 10, "write": 10, "egress": 10}
"""Names in a folder from which on it stands for all of them. Programs are the last to be named by their folder."""
RULES: Final = 200  # of one verb; where there are more, fewer names are many, and what is still more is left out
NEIGHBOURS: Final = 8  # addresses of one /24 or /64 with the same ports that are a network
PORTS: Final = 8  # ports of one address that are a range
REMARK: Final = 60  # characters

_LAYERS: Final = {layer.number: layer for layer in Layer}
_PROTOCOLS: Final = {int(protocol): protocol.name.lower() for protocol in Protocol}
_NOT_ALLOWED: Final = (Layer.HOST, Layer.NEW_MOUNT)  # whose names nobody can vouch for


class Rule(Struct, frozen=True):
    """One entry of a list. `fields` are as in the document; a text alone is the shorthand."""

    verb: str
    what: str  # the path, address or port; see `layers` and `ports`
    layers: tuple[str, ...] = ()  # "from" of a path
    ports: tuple[str, ...] = ()  # of an address
    notes: tuple[str, ...] = ()  # what a reader must know before trusting it
    remark: str = ""  # what helps to read it
    records: int = 0
    times: int = 0
    ids: tuple[str, ...] = ()  # the first records that it comes from

    @property
    def order(self) -> tuple[object, ...]:
        """Within its list: what needs no explanation first."""
        return self.notes, self.what != IMAGE, self.what, self.layers, self.ports


def rules_of(seen: Iterable[Seen], *, early: bool) -> list[Rule]:
    """All rules, in the order of the document. `early`: say what happened in the first seconds only."""
    by_verb: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        by_verb[one.subject.verb].append(one)
    return [rule for verb in VERBS for rule in _of_verb(verb, by_verb[verb], early=early)]


def _of_verb(verb: str, seen: list[Seen], *, early: bool) -> list[Rule]:
    found = _narrow(lambda many: _rules(verb, seen, many, early=early), MANY.get(verb, 10))
    return sorted(found, key=lambda rule: rule.order)


def _narrow(make: Callable[[int], list[Rule]], many: int) -> list[Rule]:
    """As few rules as are readable: the fewer names are many, the fewer rules. What is over is left out, and found so."""
    found = make(many)
    while len(found) > RULES and many > 2:
        many = max(2, many // 2)
        found = make(many)
    return sorted(found, key=lambda rule: (-rule.times, rule.order))[:RULES]


def _rules(verb: str, seen: list[Seen], many: int, *, early: bool) -> list[Rule]:
    paths = [(one.subject, one) for one in seen if isinstance(one.subject, Path)]
    peers = [(one.subject, one) for one in seen if isinstance(one.subject, Peer)]
    sockets = [(one.subject, one) for one in seen if isinstance(one.subject, Socket)]
    made = _paths(verb, paths, many, early=early)
    made += _egress(peers, early=early) if verb == "egress" else _listen(peers, early=early)
    return made + _sockets(sockets, many, early=early)


# Paths


def _paths(verb: str, seen: list[tuple[Path, Seen]], many: int, *, early: bool) -> list[Rule]:
    image = [one for path, one in seen if _is_word(verb, path)]
    rules = [_rule(verb, IMAGE, image, early=early)] if verb in ("load", "read") else []
    groups: defaultdict[tuple[tuple[str, ...], bool], list[tuple[Path, Seen]]] = defaultdict(list)
    for path, one in seen:
        if not _is_word(verb, path) and _can_be_named(path):
            groups[_from(verb, path), path.layer == Layer.PROC_SELF.number].append((path, one))
    for (layers, _), members in sorted(groups.items()):
        by_path = defaultdict(list)
        for path, one in members:
            by_path[path.path].append(one)
        for pattern, paths in collapse(by_path, many).items():
            of_it = [one for path in paths for one in by_path[path]]
            rules.append(_rule(verb, _any_process(pattern, of_it), of_it, layers=layers, early=early))
    return rules


def _is_word(verb: str, path: Path) -> bool:
    """What the word `image` stands for."""
    return verb in ("load", "read") and path.layer == Layer.IMAGE.number and by_layer(path.flags)


def _can_be_named(path: Path) -> bool:
    if _LAYERS[path.layer] in _NOT_ALLOWED or not by_path(path.flags):
        return False
    return _is_pattern("".join(literal(char) for char in path.path))


def _is_pattern(text: str) -> bool:
    try:
        check(text)
    except GlobError:
        return False
    return True


def _from(verb: str, path: Path) -> tuple[str, ...]:
    """What has to be said of the layer. Programs and code are the image's unless said; what is read and written is anywhere."""
    layer = _LAYERS[path.layer]
    if verb == "exec":
        return () if layer is Layer.IMAGE else (layer.name.lower(),)
    return (layer.name.lower(),) if verb == "load" or layer in (Layer.PROC_OTHER, Layer.MEMFD) else ()


def _any_process(pattern: str, seen: list[Seen]) -> str:
    """Process ids are folded to 0 in what rules are compared with: any one, for people."""
    processes = (Layer.PROC_SELF.number, Layer.PROC_OTHER.number)
    if not all(isinstance(one.subject, Path) and one.subject.layer in processes for one in seen):
        return pattern
    return "/".join("*" if name == "0" else name for name in pattern.split("/"))


# Unix sockets


def _sockets(seen: list[tuple[Socket, Seen]], many: int, *, early: bool) -> list[Rule]:
    by_name: defaultdict[str, list[Seen]] = defaultdict(list)
    for socket, one in seen:
        if socket.abstract:
            by_name["unix:@" + "/".join(pattern_of(part) for part in socket.name[1:].split("/"))].append(one)
    files = defaultdict(list)
    for socket, one in seen:
        if not socket.abstract and by_path(socket.flags) and _is_pattern(literal(socket.name)):
            files[socket.name].append(one)
    for pattern, paths in collapse(files, many).items():
        by_name[f"unix:{pattern}"] += [one for path in paths for one in files[path]]
    return [_rule("egress", name, members, early=early) for name, members in by_name.items() if _is_socket(name)]


def _is_socket(name: str) -> bool:
    """An abstract name is any bytes: those that can't be written as a pattern get no rule."""
    where = name.removeprefix("unix:")
    parts = [part if part not in ("", ".", "..") else "x" for part in where.removeprefix("@").split("/")]
    return where != "@" and _is_pattern(where if not where.startswith("@") else "/" + "/".join(parts))


# Peers


def _egress(seen: list[tuple[Peer, Seen]], *, early: bool) -> list[Rule]:
    by_address: defaultdict[Address, list[tuple[Peer, Seen]]] = defaultdict(list)
    for peer, one in seen:
        if (address := _address(peer.address)) is not None:
            by_address[address].append((peer, one))
    alike: defaultdict[tuple[str, ...], list[Address]] = defaultdict(list)
    for address, members in by_address.items():
        alike[_ports([peer for peer, _ in members])].append(address)
    rules = []
    for ports, addresses in alike.items():
        for network, inside in _networks(addresses).items():
            of_it = [one for address in inside for _, one in by_address[address]]
            rules.append(_rule("egress", network, of_it, ports=ports, early=early))
    return rules


def _address(text: str) -> Address | None:
    """As rules are written: IPv4 as IPv4, without a zone. None for what is no address."""
    try:
        found = ip_address(ip_address(text).packed)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _ports(peers: Sequence[Peer]) -> tuple[str, ...]:
    """In words; () where a protocol without ports is among them, which only a rule without ports allows."""
    by_protocol: defaultdict[str, set[int]] = defaultdict(set)
    for peer in peers:
        by_protocol[_PROTOCOLS.get(peer.protocol, "")].add(peer.port)
    if any(protocol not in PROTOCOLS for protocol in by_protocol):
        return ()
    return tuple(word for protocol in PROTOCOLS for word in _in_words(by_protocol[protocol], protocol))


def _in_words(ports: set[int], protocol: str) -> list[str]:
    if len(ports) >= PORTS:
        return [f"{min(ports)}-{max(ports)}/{protocol}"]
    return [f"{port}/{protocol}" for port in sorted(ports)]


def _networks(addresses: Iterable[Address]) -> dict[str, list[Address]]:
    """Neighbours as one network, no larger than they need: many of one /24 or /64."""
    around: defaultdict[object, list[Address]] = defaultdict(list)
    for address in sorted(addresses, key=lambda one: (one.version, int(one))):
        around[ip_network((address, 24 if address.version == 4 else 64), strict=False)].append(address)
    found: dict[str, list[Address]] = {}
    for near in around.values():
        if len(near) >= NEIGHBOURS:
            bits = (int(near[0]) ^ int(near[-1])).bit_length()
            found[str(ip_network((near[0], near[0].max_prefixlen - bits), strict=False))] = near
        else:
            found.update({str(address): [address] for address in near})
    return found


def _listen(seen: list[tuple[Peer, Seen]], *, early: bool) -> list[Rule]:
    """Ports on any address; where only loopback was seen, on that alone."""
    by_port: defaultdict[tuple[int, int], list[tuple[Address, Peer, Seen]]] = defaultdict(list)
    for peer, one in seen:
        if (address := _address(peer.address)) is not None:
            by_port[peer.protocol, peer.port].append((address, peer, one))
    by_place: defaultdict[tuple[str, str], list[tuple[Peer, Seen]]] = defaultdict(list)
    for (protocol, _), members in by_port.items():
        inside = all(address.is_loopback for address, _, _ in members)
        named = _PROTOCOLS.get(protocol, "") in PROTOCOLS
        for address, peer, one in members:
            by_place[_place(address) if inside or not named else "", str(protocol)].append((peer, one))
    rules = []
    for (place, _), of_it in by_place.items():
        for word in _ports([peer for peer, _ in of_it]) or ("",):
            of_word = [one for peer, one in of_it if not word or _in(word, peer.port)]
            what, ports = (place, (word,) if word else ()) if place else (word, ())
            rules.append(_rule("listen", what, of_word, ports=ports, early=early))
    return rules


def _place(address: Address) -> str:
    """As rules find it: the unspecified address is judged as loopback (see `model.match.number`)."""
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return str(address)


def _in(word: str, port: int) -> bool:
    low, _, high = word.partition("/")[0].partition("-")
    return int(low) <= port <= int(high or low)


# What is said of a rule


def _rule(
    verb: str, what: str, seen: list[Seen], *, layers: tuple[str, ...] = (), ports: tuple[str, ...] = (), early: bool
) -> Rule:
    ids = sorted({id_ for one in seen for id_ in one.ids}, key=_in_order)[:IDS]
    names = sorted({one.name for one in seen if one.name})
    remark = printable(", ".join(names))
    remark = remark if len(remark) <= REMARK else remark[: REMARK - 1] + "…"
    notes = tuple(_notes(verb, seen, early=early))
    return Rule(
        verb, what, layers, ports, notes, remark, sum(one.records for one in seen), sum(one.times for one in seen), tuple(ids)
    )


def _in_order(id_: str) -> tuple[str, int]:
    log, _, index = id_.rpartition("/")
    return log, int(index) if index.isdecimal() else 0


def _notes(verb: str, seen: list[Seen], *, early: bool) -> list[str]:
    """What a reader must know: where it is from, who said no to it before, when and by whom alone it was seen."""
    layers = {_LAYERS[one.subject.layer] for one in seen if isinstance(one.subject, Path)}
    notes = []
    if Layer.WRITABLE in layers:
        notes.append("in the container's writable layer, not in the image")
    if verb in ("exec", "load") and Layer.ROOT in layers:
        notes.append("a root filesystem without layers: the image's files and later ones can't be told apart")
    if Layer.MEMFD in layers:
        notes.append("anonymous memory, in no file")
    if verb in ("exec", "load") and any(one.subject.flags & Flag.DELETED for one in seen if isinstance(one.subject, Path)):
        notes.append("its file had been deleted")
    violated = sum((one.violated for one in seen), Counter[tuple[str, str]]())
    notes += [
        f"was a violation of {printable(policy)}: {reason}, {times} times" for (policy, reason), times in sorted(violated.items())
    ]
    if seen and all(one.sessions == {Session.STANDING} for one in seen):
        notes.append("only by processes that ran before the agent: they may have been entered from outside")
    if early and seen and all(one.early_only for one in seen):
        notes.append("only in the first seconds after the container's start")
    if any(isinstance(one.subject, Peer) and _PROTOCOLS.get(one.subject.protocol, "") not in PROTOCOLS for one in seen):
        notes.append("a protocol without ports: this allows every port and protocol there")
    return notes
