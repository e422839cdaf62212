"""A rule: one entry of an allow or deny list, ready to be compared. Made of its shape by `rule_of`; printed by `model.print`."""

from collections.abc import Iterable
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from msgspec import Struct

from model.entries import (
    Conditional,
    EgressShape,
    IngressShape,
    ListenShape,
    PathShape,
    ProgramShape,
)
from model.event import Layer, Protocol
from model.fields import IMAGE, LATER_SESSIONS, LAYERS, SESSIONS, is_name, network, plain_name, ports, seconds
from model.glob import Glob, Word, native
from model.problem import shown

Network: TypeAlias = IPv4Network | IPv6Network


class Args(Struct, frozen=True):
    """What a program's arguments must be, the program's own name left out."""

    words: tuple[Word, ...]
    prefix: bool  # more may follow

    def fit(self, given: tuple[str, ...]) -> bool:
        """Whether these arguments of an event are so."""
        if len(given) < len(self.words) or (len(given) > len(self.words) and not self.prefix):
            return False
        return all(word.matches(native(one)) for word, one in zip(self.words, given, strict=False))


class When(Struct, frozen=True):
    """Conditions beside the path or peer. Without any, a rule holds always."""

    sessions: frozenset[str] = frozenset()  # empty: any
    startup_s: int = 0  # only while the container is younger; 0: at any age
    args: Args | None = None
    called: frozenset[str] = frozenset()  # the base name of argv[0]; empty: any

    @property
    def always(self) -> bool:
        """Whether there is no condition."""
        return not self.sessions and not self.startup_s and not self.of_arguments

    @property
    def of_arguments(self) -> bool:
        """Whether a program's arguments are looked at."""
        return self.args is not None or bool(self.called)

    def holds_in(self, session: str) -> bool:
        """Whether it can hold for a process of this session."""
        return not self.sessions or session in self.sessions


ALWAYS = When()


class PathRule(Struct, frozen=True):
    """A path of exec, load, read or write. `glob` is None for the word `image`."""

    text: str
    glob: Glob | None
    layers: frozenset[Layer] | None  # None: the verb's default
    digest: str  # of what it says: stable when lists are reordered
    source: str  # file:line:col
    when: When = ALWAYS


class Ports(Struct, frozen=True, gc=False):
    """A range of ports, both ends included."""

    protocol: Protocol
    low: int
    high: int


class PeerRule(Struct, frozen=True):
    """A network of egress or ingress, or a local address of listen."""

    text: str
    network: Network | None  # None: any address
    ports: tuple[Ports, ...]  # (): any port and protocol
    digest: str
    source: str
    when: When = ALWAYS


class UnixRule(Struct, frozen=True):
    """A unix socket of egress, by its file, or by its abstract name (then the pattern is of `/` + name)."""

    text: str
    glob: Glob
    abstract: bool
    digest: str
    source: str
    when: When = ALWAYS


class NameRule(Struct, frozen=True):
    """A DNS name of egress: the name that the address was last looked up by."""

    text: str
    name: str  # `example.com`, or `*.example.com` for every name below it
    ports: tuple[Ports, ...]
    digest: str
    source: str
    when: When = ALWAYS


class KubernetesRule(Struct, frozen=True):
    """A peer that only Kubernetes can name. Matches nothing without it."""

    text: str
    kind: str  # service, namespace
    name: str  # namespace/service, or namespace
    ports: tuple[Ports, ...]
    digest: str
    source: str
    when: When = ALWAYS

    @property
    def waits(self) -> str:
        """Why it matches nothing here."""
        return f"only Kubernetes knows the addresses of {self.kind} {shown(self.name)}"


Rule: TypeAlias = PathRule | PeerRule | UnixRule | NameRule | KubernetesRule
Item: TypeAlias = PathShape | EgressShape | IngressShape | ListenShape


def rule_of(item: Item, source: str) -> Rule:
    """The rule of a shape. `source` is where it stands."""
    when = _when(item)
    if isinstance(item, PathShape):
        return _path_rule(item, when, source)
    if isinstance(item, ListenShape):
        return _peer_rule(item.address, item.ports, when, source)
    peer = item.to if isinstance(item, EgressShape) else item.origin
    if isinstance(peer, dict):
        return _kubernetes_rule(peer, item.ports, when, source)
    if peer.startswith("unix:"):
        return _unix_rule(peer, when, source)
    return (_name_rule if is_name(peer) else _peer_rule)(peer, item.ports, when, source)


def _when(item: Conditional) -> When:
    args, called = None, frozenset[str]()
    if isinstance(item, ProgramShape):
        called = frozenset(item.called or ())
        if item.args is not None:
            words = item.args.exact if item.args.exact is not None else item.args.prefix
            args = Args(tuple(map(Word, words or ())), item.args.prefix is not None)
    if args is None and not called and not item.sessions and item.startup is None:
        return ALWAYS
    return When(frozenset(item.sessions or ()), seconds(item.startup) if item.startup else 0, args, called)


def _path_rule(item: PathShape, when: When, source: str) -> PathRule:
    glob = None if item.path == IMAGE else Glob(item.path)
    words = sorted(set(item.layers or ()))
    layers = frozenset(LAYERS[word] for word in words) if words else None
    text = f"{item.path} from {', '.join(words)}" if words else item.path
    return PathRule(_told(text, when), glob, layers, _digest(when, item.path, *words), source, when)


def _unix_rule(to: str, when: When, source: str) -> UnixRule:
    where = to.removeprefix("unix:")
    abstract = where.startswith("@")
    glob = Glob("/" + where[1:] if abstract else where)
    return UnixRule(_told(to, when), glob, abstract, _digest(when, to), source, when)


def _peer_rule(address: str | None, written: list[str] | None, when: When, source: str) -> PeerRule:
    found = network(address) if address else None
    ranges = _ranges(written)
    text = _told(" ".join(filter(None, (short(found), told_ports(ranges)))), when)
    return PeerRule(text, found, ranges, _digest(when, str(found or ""), *_names(ranges)), source, when)


def _name_rule(to: str, written: list[str] | None, when: When, source: str) -> NameRule:
    ranges, name = _ranges(written), plain_name(to)
    text = _told(" ".join(filter(None, (name, told_ports(ranges)))), when)
    return NameRule(text, name, ranges, _digest(when, name, *_names(ranges)), source, when)


def _kubernetes_rule(peer: dict[str, str], written: list[str] | None, when: When, source: str) -> KubernetesRule:
    (kind, name), ranges = next(iter(peer.items())), _ranges(written)
    text = _told(" ".join(filter(None, (f"{kind} {name}", told_ports(ranges)))), when)
    return KubernetesRule(text, kind, name, ranges, _digest(when, kind, name, *_names(ranges)), source, when)


def _ranges(written: list[str] | None) -> tuple[Ports, ...]:
    return tuple(sorted({_range(one) for one in written or ()}, key=lambda one: (one.protocol, one.low, one.high)))


def _range(written: str) -> Ports:
    protocol, low, high = ports(written)
    return Ports(Protocol[protocol.upper()], low, high)


def _names(ranges: tuple[Ports, ...]) -> list[str]:
    return [f"{one.low}-{one.high}/{one.protocol.name}" for one in ranges]


def told_port(one: Ports) -> str:
    """As people write it: `443/tcp`, `8000-9000/udp`."""
    return f"{one.low}{f'-{one.high}' if one.high != one.low else ''}/{one.protocol.name.lower()}"


def told_ports(ranges: tuple[Ports, ...]) -> str:
    """Several of them."""
    return ", ".join(map(told_port, ranges))


def short(found: Network | None) -> str:
    """A network as people write it: one address without its prefix. "" for any."""
    if found is None:
        return ""
    return str(found.network_address) if found.prefixlen == found.max_prefixlen else str(found)


def told_startup(startup_s: int) -> str:
    """A duration as people write it."""
    return f"{startup_s}s"


def _told(text: str, when: When) -> str:
    parts = [text]
    if when.args is not None:
        parts.append(f"args {' '.join(word.text for word in when.args.words)}{' …' if when.args.prefix else ''}".rstrip())
    if when.called:
        parts.append(f"as {', '.join(sorted(when.called))}")
    if when.sessions:
        parts.append(f"in {', '.join(sorted(when.sessions))}")
    if when.startup_s:
        parts.append(f"for {told_startup(when.startup_s)}")
    return " ".join(parts)


def _digest(when: When, *parts: str) -> str:
    """Eight characters. Conditions are in it behind what no path and no port can be."""
    return digest_of([*parts, *_conditions(when)])


def _conditions(when: When) -> Iterable[str]:
    if when.args is not None:
        yield f"args{'*' if when.args.prefix else '='}{len(when.args.words)}"
        yield from (word.text for word in when.args.words)
    if when.called:
        yield f"as={','.join(sorted(when.called))}"
    if when.sessions:
        yield f"session={','.join(sorted(when.sessions))}"
    if when.startup_s:
        yield f"startup={when.startup_s}"


def digest_of(parts: Iterable[str]) -> str:
    """Eight characters that stand for these texts."""
    return blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()


def waiting_sessions(rule: Rule) -> tuple[str, ...]:
    """Sessions of a rule that nothing can be told to be in, on this node."""
    return tuple(word for word in LATER_SESSIONS if word in rule.when.sessions and word not in SESSIONS)
