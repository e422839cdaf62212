"""A policy: which containers it selects, and what they may do. `parse` reads the documents of a text.

The unit is the verb. A verb that nobody mentions is recorded, not judged; an `allow` list makes it default-deny; `deny`
alone doesn't, and always wins.
"""

from collections.abc import Iterable
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from msgspec import Struct
from pydantic import ValidationError

from model.complaints import problems_of
from model.document import (
    IMAGE,
    LAYERS,
    VERBS,
    DocumentShape,
    EgressShape,
    ListenShape,
    PathShape,
    SelectShape,
    VerbShape,
    network,
    ports,
)
from model.event import Layer, Protocol
from model.glob import Glob
from model.origin import Container
from model.positions import Node, read
from model.problem import PolicyError, Problem, Text, shown
from model.select import Selector
from model.verdict import Mode

Network: TypeAlias = IPv4Network | IPv6Network


class PathRule(Struct, frozen=True):
    """A path of exec, load, read or write. `glob` is None for the word `image`."""

    text: str
    glob: Glob | None
    layers: frozenset[Layer] | None  # None: the verb's default
    digest: str  # of what it says: stable when lists are reordered
    source: str  # file:line:col


class Ports(Struct, frozen=True, gc=False):
    """A range of ports, both ends included."""

    protocol: Protocol
    low: int
    high: int


class PeerRule(Struct, frozen=True):
    """A network of egress, or a local address of listen."""

    text: str
    network: Network | None  # None: any address
    ports: tuple[Ports, ...]  # (): any port and protocol
    digest: str
    source: str


class UnixRule(Struct, frozen=True):
    """A unix socket of egress, by its file, or by its abstract name (then the pattern is of `/` + name)."""

    text: str
    glob: Glob
    abstract: bool
    digest: str
    source: str


Rule: TypeAlias = PathRule | PeerRule | UnixRule


class Rules(Struct, frozen=True):
    """What a policy says of one verb. `allow` is None where it has no such list."""

    allow: tuple[Rule, ...] | None
    deny: tuple[Rule, ...]
    mode: Mode
    source: str  # of the allow list, or of the verb


class Policy(Struct, frozen=True):
    """One document."""

    name: str
    selector: Selector
    verbs: dict[str, Rules]
    source: str  # of its name

    @property
    def id(self) -> str:
        """namespace/name, or name: unique in a set of policies."""
        namespace = self.selector.namespace
        return f"{namespace}/{self.name}" if namespace else self.name

    def selects(self, container: Container) -> bool:
        """Whether it speaks of this container."""
        return self.selector.fits(container)


def parse(text: str, name: str) -> tuple[Policy, ...]:
    """Read the documents of one text. `name` is its file's, for messages and sources.

    Raises PolicyError listing all problems, each with line, column and hint; never returns a part of what was written.
    Takes less than a second, whatever the text.
    """
    source = Text(text, name)
    policies: list[Policy] = []
    problems: list[Problem] = []
    for document in read(source):
        try:
            policies.append(_policy(document, source))
        except ValidationError as error:
            problems += problems_of(error, document, source)
    problems += repeated(policies, source)
    if problems:
        raise PolicyError(problems)
    return tuple(policies)


def repeated(policies: Iterable[Policy], source: Text) -> list[Problem]:
    """Names that two documents of one text have."""
    seen: dict[str, Policy] = {}
    found = []
    for policy in policies:
        first = seen.setdefault(policy.id, policy)
        if first is not policy:
            mark = source.mark_of(policy.source)
            found.append(source.problem(mark, f"a second policy named {shown(policy.id)}", f"the first one is at {first.source}"))
    return found


def _policy(document: Node, text: Text) -> Policy:
    shape = DocumentShape.model_validate(document.plain())
    metadata, spec = shape.metadata, shape.spec
    verbs = {}
    for verb in VERBS:
        said: VerbShape | None = getattr(spec, verb)
        if said is not None:
            verbs[verb] = _rules(said, Mode(spec.mode[verb]), document.find(("spec", verb)), text)
    name = text.source(document.find(("metadata", "name")).mark)
    return Policy(metadata.name, _selector(spec.select, metadata.namespace), verbs, name)


def _selector(select: SelectShape, namespace: str | None) -> Selector:
    names = select.containers.names if select.containers else ()
    return Selector(tuple(names), tuple(select.images or ()), namespace or "")


def _rules(shape: VerbShape, mode: Mode, node: Node, text: Text) -> Rules:
    allow = _list(shape, "allow", node, text) if "allow" in shape.model_fields_set else None
    at = node.keys.get("allow") or node.mark
    return Rules(allow, _list(shape, "deny", node, text), mode, text.source(at))


def _list(shape: VerbShape, which: str, node: Node, text: Text) -> tuple[Rule, ...]:
    items = getattr(shape, which)
    return tuple(_rule(item, text.source(node.find((which, index)).mark)) for index, item in enumerate(items))


def _rule(item: PathShape | EgressShape | ListenShape, source: str) -> Rule:
    if isinstance(item, PathShape):
        return _path_rule(item, source)
    if isinstance(item, ListenShape):
        return _peer_rule(item.address, item.ports, source)
    if item.to.startswith("unix:"):
        return _unix_rule(item.to, source)
    return _peer_rule(item.to, item.ports, source)


def _path_rule(item: PathShape, source: str) -> PathRule:
    if item.path == IMAGE:
        return PathRule(IMAGE, None, None, _digest(IMAGE), source)
    layers = frozenset(LAYERS[word] for word in item.layers) if item.layers else None
    words = sorted(set(item.layers or ()))
    text = f"{item.path} from {', '.join(words)}" if words else item.path
    return PathRule(text, Glob(item.path), layers, _digest(item.path, *words), source)


def _unix_rule(to: str, source: str) -> UnixRule:
    where = to.removeprefix("unix:")
    abstract = where.startswith("@")
    return UnixRule(to, Glob("/" + where[1:] if abstract else where), abstract, _digest(to), source)


def _peer_rule(address: str | None, written: list[str] | None, source: str) -> PeerRule:
    found = network(address) if address else None
    ranges = tuple(sorted({_range(one) for one in written or ()}, key=lambda one: (one.protocol, one.low, one.high)))
    words = [f"{one.low}-{one.high}/{one.protocol.name}" for one in ranges]
    text = " ".join(filter(None, (address, ", ".join(written or ()))))
    return PeerRule(text, found, ranges, _digest(str(found or ""), *words), source)


def _range(written: str) -> Ports:
    protocol, low, high = ports(written)
    return Ports(Protocol[protocol.upper()], low, high)


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()
