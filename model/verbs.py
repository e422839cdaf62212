"""One verb of the policies that select a container, compiled: what is denied, what is allowed, what becomes of the rest.

Lists unite, but one that learns never weakens one that alerts: beside it, it neither allows nor forbids. A violation has the
strictest mode of the policies that it violates: for what no list allows, those that have a list; for what is denied, those that
deny it. So a policy that learns what a container needs stays silent beside one that alerts on secrets.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from model.event import File, Flag, Layer, Unix
from model.match import ALL_LAYERS, Entry, PathTable, PeerTable, by_layer, by_path, canonical, is_loopback, number, socket_file
from model.policy import Network, PathRule, PeerRule, Policy, Rule, Rules, UnixRule
from model.verdict import Depends, Mode, Outcome, Reason, Severity, Verdict

Said = tuple[Policy, Rules]

_IMAGE = 1 << Layer.IMAGE.number
_USUAL = sum(
    1 << layer.number
    for layer in (
        Layer.IMAGE, Layer.WRITABLE, Layer.VOLUME, Layer.TMPFS, Layer.PROC, Layer.PROC_SELF, Layer.PROC_OTHER, Layer.ROOT,
    )
)  # fmt: skip
_CODE = ("exec", "load")
_DELETED = int(Flag.DELETED)
_REWRITTEN = 1 << Layer.PROC_SELF.number | 1 << Layer.PROC_OTHER.number | 1 << Layer.MEMFD.number

_SEVERITIES = {
    Reason.EXEC_FILELESS: Severity.CRITICAL,
    Reason.EXEC_NOT_ALLOWED: Severity.MEDIUM,
    Reason.READ_NOT_ALLOWED: Severity.LOW,
    Reason.WRITE_NOT_ALLOWED: Severity.MEDIUM,
    Reason.EGRESS_NOT_ALLOWED: Severity.MEDIUM,
    Reason.LISTEN_NOT_ALLOWED: Severity.MEDIUM,
}  # all others are high

_REFUSED_BY_LAYER = {
    "exec": {
        Layer.WRITABLE: Reason.EXEC_DRIFT,
        Layer.VOLUME: Reason.EXEC_VOLUME,
        Layer.TMPFS: Reason.EXEC_VOLUME,
        Layer.MEMFD: Reason.EXEC_FILELESS,
    },
    "load": {Layer.WRITABLE: Reason.LOAD_DRIFT},
}


def layers_of(verb: str, rule: Rule, *, deny: bool) -> int:
    """The layers whose files a rule is for: bit n is layer n. What is denied is so everywhere unless the rule says where."""
    if not isinstance(rule, PathRule):
        return ALL_LAYERS if deny else _USUAL
    if rule.glob is None:
        return _IMAGE
    if rule.layers is not None:
        return sum(1 << layer.number for layer in rule.layers)
    return ALL_LAYERS if deny else _IMAGE if verb in _CODE else _USUAL


class Verb:
    """What every verb has."""

    def __init__(self, name: str, said: Sequence[Said], generation: int, depends: Depends) -> None:
        self.name = name
        self._generation = generation
        self.depends = depends
        lists = sorted(((policy, rules) for policy, rules in said if rules.allow is not None), key=lambda one: one[0].id)
        self._lists = [one for one in lists if one[1].mode is Mode.ALERT] or lists
        self.listed = bool(self._lists)  # default-deny
        self._mode = self._lists[0][1].mode if self._lists else Mode.LEARN
        self.allows = [self._entry(p, "allow", rule, self._mode) for p, rules in self._lists for rule in rules.allow or ()]
        self.denies = [self._entry(p, "deny", rule, rules.mode) for p, rules in said for rule in rules.deny]
        mentioned = Outcome.ALLOWED if said else Outcome.UNJUDGED
        reason = Reason.ALLOWED if said else Reason.NOT_MENTIONED
        self._otherwise = Verdict(mentioned, name, reason, self._mode, generation, severity=Severity.LOW, depends=depends)

    def _entry(self, policy: Policy, which: str, rule: Rule, mode: Mode) -> Entry:
        deny = which == "deny"
        reason = Reason(f"{self.name}.denied") if deny else Reason.ALLOWED
        verdict = Verdict(
            Outcome.VIOLATION if deny else Outcome.ALLOWED, self.name, reason, mode, self._generation,
            f"{policy.id}/{self.name}/{which}/{rule.digest}", rule.source, policy.id,
            _SEVERITIES.get(reason, Severity.HIGH) if deny else Severity.LOW, self.depends,
        )  # fmt: skip
        return Entry(rule, verdict, layers_of(self.name, rule, deny=deny))

    def _refuse(self, reason: Reason) -> Verdict:
        """What no list allows; the first of the strictest lists answers for it."""
        if not self._lists:
            return self._otherwise
        policy, rules = self._lists[0]
        return Verdict(
            Outcome.VIOLATION, self.name, reason, rules.mode, self._generation, f"{policy.id}/{self.name}/allow", rules.source,
            policy.id, _SEVERITIES.get(reason, Severity.HIGH), self.depends,
        )  # fmt: skip

    def _denies_of(self, mode: Mode, kinds: type | tuple[type, ...]) -> list[Entry]:
        return [entry for entry in self.denies if entry.verdict.mode is mode and isinstance(entry.rule, kinds)]


class PathVerb(Verb):
    """exec, load, read or write."""

    def __init__(self, name: str, said: Sequence[Said], generation: int) -> None:
        super().__init__(name, said, generation, _path_depends(name, said))
        tables = [PathTable(self._denies_of(mode, PathRule)) for mode in (Mode.ALERT, Mode.LEARN)]
        self._deny = tuple(table for table in tables if table.used)
        self._allow = PathTable(self.allows)
        by_layer = _REFUSED_BY_LAYER.get(name, {})
        usual = Reason(f"{name}.not_allowed")
        self._refused = {layer: self._refuse(by_layer.get(layer, usual)) for layer in Layer}
        self._fileless = self._refuse(Reason.EXEC_FILELESS if name == "exec" else usual)

    def decide(self, file: File) -> Verdict:
        """The verdict on one file."""
        layer, path = file.layer, file.path
        bit = 1 << layer.number
        if bit & _REWRITTEN or "\\" in path:
            path = canonical(path, bit)
        for table in self._deny:
            denied = table.find(path, bit)
            if denied is not None:
                return denied
        if not self.listed:
            return self._otherwise
        flags = file.flags
        found = self._allow.find(path, bit) if flags == 0 else self._find_flagged(path, bit, int(flags))
        return found or self.refusal(layer, flags)

    def _find_flagged(self, path: str, bit: int, flags: int) -> Verdict | None:
        if by_path(flags):
            return self._allow.find(path, bit)
        return self._allow.of_image(bit) if by_layer(flags) else None

    def refusal(self, layer: Layer, flags: int) -> Verdict:
        """The verdict on what no list allows."""
        return self._fileless if self.name == "exec" and int(flags) & _DELETED else self._refused[layer]

    def uniform(self, folder: str, layer: Layer) -> Verdict | None:
        """The one verdict of every unflagged file below this folder, or None where a rule tells them apart."""
        bit = 1 << layer.number
        path = canonical(folder, bit)
        entries = [*self.denies, *(self.allows if self.listed else ())]
        for entry in entries:
            rule = entry.rule
            told_apart = isinstance(rule, PathRule) and rule.glob is not None and rule.glob.below(path) is None
            if told_apart and entry.layers & bit:
                return None
        return self.decide(File(f"{folder.rstrip('/')}/any", layer, Flag(0), 0, 0, 0, 0, 0))


class PeerVerb(Verb):
    """egress or listen."""

    def __init__(self, name: str, said: Sequence[Said], generation: int) -> None:
        super().__init__(name, said, generation, _peer_depends(name, said))
        self._deny = tuple(PeerTable(self._denies_of(mode, PeerRule)) for mode in (Mode.ALERT, Mode.LEARN) if said)
        self._allow = PeerTable(self.allows)
        self._refused = self._refuse(Reason(f"{name}.not_allowed"))
        self._inside = name == "egress"  # loopback is allowed unless denied
        self._sockets = {abstract: self._socket_tables(abstract) for abstract in (False, True)}

    def _socket_tables(self, abstract: bool) -> tuple[tuple[PathTable, ...], PathTable]:  # noqa: FBT001 - private
        def of_kind(entries: Iterable[Entry]) -> list[Entry]:
            return [one for one in entries if isinstance(one.rule, UnixRule) and one.rule.abstract is abstract]

        denied = [PathTable(of_kind(self._denies_of(mode, UnixRule))) for mode in (Mode.ALERT, Mode.LEARN)]
        return tuple(table for table in denied if table.used), PathTable(of_kind(self.allows))

    def decide(self, address: str, protocol: int, port: int) -> Verdict:
        """The verdict on one peer. What is no address is matched by no rule, and not allowed where there is a list."""
        try:
            where = number(address)
        except ValueError:
            return self._refused if self.listed else self._otherwise
        for table in self._deny:
            denied = table.find(where, protocol, port)
            if denied is not None:
                return denied
        if not self.listed:
            return self._otherwise
        found = self._allow.find(where, protocol, port)
        return found or (self._otherwise if self._inside and is_loopback(where) else self._refused)

    def decide_socket(self, event: Unix) -> Verdict:
        """The verdict on a unix socket."""
        file = socket_file(event)
        if file is not None:
            return self._decide_path(
                canonical(file.path, 1 << file.layer.number), 1 << file.layer.number, int(file.flags), abstract=False
            )
        return self._decide_path("/" + canonical(event.abstract, 0), _IMAGE, 0, abstract=True)

    def _decide_path(self, path: str, bit: int, flags: int, *, abstract: bool) -> Verdict:
        deny, allow = self._sockets[abstract]
        for table in deny:
            denied = table.find(path, bit)
            if denied is not None:
                return denied
        if not self.listed:
            return self._otherwise
        found = allow.find(path, bit) if by_path(flags) else None
        return found or self._refused

    def uniform(self, network: Network, port: int, protocol: int) -> Verdict | None:
        """The one verdict of every address in this network, or None where a rule tells them apart."""
        if network.num_addresses > 1:
            if isinstance(network, IPv6Network) and network.overlaps(_MAPPED):
                return None
            rules = [entry.rule for entry in (*self.denies, *self.allows)]
            inside = [rule.network for rule in rules if isinstance(rule, PeerRule) and _speaks_of(rule, port, protocol)]
            if any(_is_part(one, network) for one in (*inside, *_SPECIAL)):
                return None
        return self.decide(str(network.network_address), protocol, port)


def _speaks_of(rule: PeerRule, port: int, protocol: int) -> bool:
    return not rule.ports or any(one.protocol == protocol and one.low <= port <= one.high for one in rule.ports)


def _is_part(part: Network | None, network: Network) -> bool:
    """Whether it is smaller than the network and lies in it."""
    if part is None or part.version != network.version or part.prefixlen <= network.prefixlen:
        return False
    return part.network_address in network


def _path_depends(name: str, said: Sequence[Said]) -> Depends:
    """Deleted files are told apart by a flag, which the key holds beside the names."""
    depends = Depends.CONTAINER
    rules = [rule for _, one in said for rule in (*(one.allow or ()), *one.deny) if isinstance(rule, PathRule)]
    listed = any(one.allow is not None for _, one in said)
    if any(rule.glob is not None for rule in rules) or (name == "exec" and listed):
        depends |= Depends.PATH
    if any(one.allow for _, one in said) or (name in _CODE and listed) or any(rule.glob is None or rule.layers for rule in rules):
        depends |= Depends.LAYER
    return depends


def _peer_depends(name: str, said: Sequence[Said]) -> Depends:
    depends = Depends.CONTAINER
    rules = [rule for _, one in said for rule in (*(one.allow or ()), *one.deny)]
    peers = [rule for rule in rules if isinstance(rule, PeerRule)]
    if any(rule.network is not None for rule in peers) or (name == "egress" and any(one.allow is not None for _, one in said)):
        depends |= Depends.ADDRESS
    if any(rule.ports for rule in peers):
        depends |= Depends.PORT
    if len(peers) < len(rules):
        depends |= Depends.PATH | Depends.LAYER
    return depends


# Judged as others than they look: loopback, the unspecified addresses (the kernel connects to loopback), IPv4-mapped ones.
_MAPPED = IPv6Network("::ffff:0:0/96")
_SPECIAL = (IPv4Network("127.0.0.0/8"), IPv4Network("0.0.0.0/32"), IPv6Network("::1"), IPv6Network("::"))
