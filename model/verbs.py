"""One verb of the policies that select a container, compiled: what is denied, what is allowed, what becomes of the rest.

    strictest mode first:   denied by anybody? ─► violation
                            not in a list that counts? ─► violation       (each guardrail's list is a ceiling of its own;
    the next mode …                                                        the lists below them unite)
    none of that ─► allowed

Lists unite, but one that learns never weakens one that alerts: beside it, it neither allows nor forbids. A violation has the
strictest mode of the policies that it violates: for what no list allows, those that have a list; for what is denied, those that
deny it. So a policy that learns what a container needs stays silent beside one that alerts on secrets.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from types import UnionType

from msgspec import Struct
from msgspec.structs import replace

from model.event import File, Flag, Layer, Unix
from model.fields import plain_name
from model.match import (
    ALL_LAYERS,
    Entry,
    NameTable,
    PathTable,
    PeerTable,
    by_layer,
    by_path,
    canonical,
    is_loopback,
    number,
    own,
    socket_file,
)
from model.policy import GUARDRAIL, NameRule, Network, PathRule, PeerRule, Policy, Rule, Rules, UnixRule, id_of
from model.program import Called
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
_LAYERS = max(layer.number for layer in Layer) + 1
_LOUDNESS = {severity: step for step, severity in enumerate(Severity)}
STRICTEST_FIRST = (Mode.ALERT, Mode.LEARN)

_SEVERITIES = {
    Reason.EXEC_FILELESS: Severity.CRITICAL,
    Reason.EXEC_NOT_ALLOWED: Severity.MEDIUM,
    Reason.READ_NOT_ALLOWED: Severity.LOW,
    Reason.WRITE_NOT_ALLOWED: Severity.MEDIUM,
    Reason.EGRESS_NOT_ALLOWED: Severity.MEDIUM,
    Reason.INGRESS_NOT_ALLOWED: Severity.MEDIUM,
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


class Moment(Struct, frozen=True):
    """What rules on condition are resolved for when tables are made, so that a verdict stays a function of the key."""

    session: str = ""  # "": rules of every session
    age_s: int = 0  # seconds that the container has lived, at least
    excepted: frozenset[str] = frozenset()  # ids of rules that are taken out

    def has(self, rule: Rule) -> bool:
        """Whether a rule's session and start-up phase are of this moment."""
        when = rule.when
        return (not self.session or when.holds_in(self.session)) and not 0 < when.startup_s <= self.age_s


ANY = Moment()
"""Every rule, whatever its session and phase: to look at, not to judge by."""


def in_force(mode: Mode) -> Mode:
    """This version doesn't prevent anything: what is to be enforced is alerted on."""
    return Mode.ALERT if mode is Mode.ENFORCE else mode


def layers_of(verb: str, rule: Rule, *, deny: bool) -> int:
    """The layers whose files a rule is for: bit n is layer n. What is denied is so everywhere unless the rule says where."""
    if not isinstance(rule, PathRule):
        return ALL_LAYERS if deny else _USUAL
    if rule.glob is None:
        return _IMAGE
    if rule.layers is not None:
        return sum(1 << layer.number for layer in rule.layers)
    return ALL_LAYERS if deny else _IMAGE if verb in _CODE else _USUAL


class Lists:
    """Allow lists that count together: those below the guardrails, or one guardrail's."""

    def __init__(self, verb: "Verb", said: Sequence[Said]) -> None:
        alerting = [one for one in said if in_force(one[1].mode) is Mode.ALERT]
        self.said = sorted(alerting or said, key=lambda one: one[0].id)
        self.below = self.said[0][0].tier != GUARDRAIL
        self.mode = in_force(self.said[0][1].mode)
        self.allows = [
            entry for one, rules in self.said for entry in verb.entries(one, "allow", rules.allow or (), rules, self.mode)
        ]
        said_severities = [rules.severity for _, rules in self.said if rules.severity is not None]
        self._severity = max(said_severities, key=lambda one: _LOUDNESS[one], default=None)
        self._verb = verb

    @property
    def excepted_by(self) -> tuple[str, ...]:
        """What an exception may name so that nothing is refused here."""
        verb = self._verb.name
        return tuple(f"{policy.id}/{verb}{rest}" for policy, _ in self.said for rest in ("", "/allow"))

    def refuse(self, reason: Reason) -> Verdict:
        """What no list allows; the first policy by its id answers for it, with the loudest severity that is said."""
        (policy, rules), verb = self.said[0], self._verb
        return Verdict(
            Outcome.VIOLATION, verb.name, reason, self.mode, verb.generation, f"{policy.id}/{verb.name}/allow", rules.source,
            policy.id, self._severity or _SEVERITIES.get(reason, Severity.HIGH), verb.depends,
        )  # fmt: skip


class Verb:
    """What every verb has. `denies` and `allows` are the entries that count in its moment."""

    def __init__(self, name: str, said: Sequence[Said], generation: int, moment: Moment, depends: Depends) -> None:
        self.name = name
        self.generation = generation
        self.depends = depends
        self._moment = moment
        self._said = said
        self.lists = [lists for lists in self._all_lists() if not moment.excepted.intersection(lists.excepted_by)]
        self.listed = bool(self.lists)  # default-deny
        self.allows = [entry for lists in self.lists for entry in lists.allows]
        self.denies = list(self._denied())
        mode = self.lists[0].mode if self.lists else Mode.LEARN
        mentioned = Outcome.ALLOWED if said else Outcome.UNJUDGED
        reason = Reason.ALLOWED if said else Reason.NOT_MENTIONED
        self._otherwise = Verdict(mentioned, name, reason, mode, generation, severity=Severity.LOW, depends=depends)

    def _all_lists(self) -> list[Lists]:
        """Each guardrail's list is a ceiling of its own; those below unite. In the order in which they are asked."""
        with_list = [one for one in self._said if one[1].allow is not None]
        ceilings = [[one] for one in with_list if one[0].tier == GUARDRAIL]
        below = [one for one in with_list if one[0].tier != GUARDRAIL]
        made = [Lists(self, said) for said in (*ceilings, below) if said]
        return sorted(made, key=lambda lists: (STRICTEST_FIRST.index(lists.mode), lists.below, lists.said[0][0].id))

    def _denied(self) -> Iterator[Entry]:
        excepted = self._moment.excepted
        for policy, rules in self._said:
            if f"{policy.id}/{self.name}" not in excepted:
                entries = self.entries(policy, "deny", rules.deny, rules, in_force(rules.mode))
                yield from (entry for entry in entries if entry.verdict.rule not in excepted)

    def entries(self, policy: Policy, which: str, listed: Sequence[Rule], rules: Rules, mode: Mode) -> Iterator[Entry]:
        """Those of a list that count in this moment, each with the verdict where it is decisive."""
        deny = which == "deny"
        reason = Reason(f"{self.name}.denied") if deny else Reason.ALLOWED
        outcome = Outcome.VIOLATION if deny else Outcome.ALLOWED
        severity = (rules.severity or _SEVERITIES.get(reason, Severity.HIGH)) if deny else Severity.LOW
        for rule in listed:
            if self._moment.has(rule):
                verdict = Verdict(
                    outcome, self.name, reason, mode, self.generation, id_of(policy, self.name, which, rule), rule.source,
                    policy.id, severity, self.depends,
                )  # fmt: skip
                yield Entry(rule, verdict, layers_of(self.name, rule, deny=deny))

    def excepted_by(self, rule: str) -> tuple[str, ...]:
        """What an exception may name so that a violation of this rule is excepted."""
        for lists in self.lists:
            if rule == lists.excepted_by[1]:
                return lists.excepted_by
        return rule, rule.partition(f"/{self.name}/deny/")[0] + f"/{self.name}"

    def _denies_of(self, mode: Mode, kind: type | UnionType) -> list[Entry]:
        return [entry for entry in self.denies if entry.verdict.mode is mode and isinstance(entry.rule, kind)]

    def _lists_of(self, mode: Mode) -> list[Lists]:
        return [lists for lists in self.lists if lists.mode is mode]


class _PathLists:
    """Allow lists of paths as a table, and the verdicts on what is not in them."""

    def __init__(self, lists: Lists, verb: str) -> None:
        self.below = lists.below
        self.table = PathTable(lists.allows)
        by_reason = _REFUSED_BY_LAYER.get(verb, {})
        usual = Reason(f"{verb}.not_allowed")
        self._refused = [lists.refuse(usual)] * _LAYERS
        for layer, reason in by_reason.items():
            self._refused[layer.number] = lists.refuse(reason)
        self._fileless = lists.refuse(Reason.EXEC_FILELESS) if verb == "exec" else None

    def find(self, path: str, bit: int, flags: int, called: Called | None) -> Verdict | None:
        """The verdict of what allows it."""
        if flags == 0 or by_path(flags):
            return self.table.find(path, bit, called)
        return self.table.of_image(bit, called) if by_layer(flags) else None

    def refusal(self, layer: Layer, flags: int) -> Verdict:
        """The verdict on what is not in them."""
        return self._fileless if self._fileless is not None and flags & _DELETED else self._refused[layer.number]


class PathVerb(Verb):
    """exec, load, read or write."""

    def __init__(self, name: str, said: Sequence[Said], generation: int, moment: Moment) -> None:
        super().__init__(name, said, generation, moment, _path_depends(name, said))
        self._steps = tuple(step for mode in STRICTEST_FIRST if any(step := self._step(mode)))

    def _step(self, mode: Mode) -> tuple[PathTable | None, tuple[_PathLists, ...]]:
        denied = PathTable(self._denies_of(mode, PathRule))
        return denied if denied.used else None, tuple(_PathLists(lists, self.name) for lists in self._lists_of(mode))

    def decide(self, file: File, called: Called | None = None) -> Verdict:
        """The verdict on one file. `called`: how the program was called that is executed."""
        layer, path, flags = file.layer, file.path, int(file.flags)
        bit = 1 << layer.number
        if bit & _REWRITTEN or "\\" in path:
            path = canonical(path, bit)
        allowed = None
        for denied, all_lists in self._steps:
            if denied is not None:
                found = denied.find(path, bit, called)
                if found is not None:
                    return found
            for lists in all_lists:
                found = lists.find(path, bit, flags, called)
                if found is None:
                    return lists.refusal(layer, flags)
                if allowed is None or lists.below:
                    allowed = found
        return allowed or self._otherwise

    def uniform(self, folder: str, layer: Layer) -> bool:
        """Whether no rule tells unflagged files below this folder apart, in any session and phase. Ask it of every rule."""
        bit = 1 << layer.number
        path = canonical(folder, bit)
        return not any(entry.layers & bit and _tells_apart(entry.rule, path) for entry in (*self.denies, *self.allows))


def _tells_apart(rule: Rule, folder: str) -> bool:
    if not isinstance(rule, PathRule):
        return False
    below = True if rule.glob is None else rule.glob.below(folder)
    return below is None or (below and not rule.when.always)


class _PeerLists:
    """Allow lists of peers as tables, and the verdict on what is not in them."""

    def __init__(self, lists: Lists, verb: str) -> None:
        self.below = lists.below
        self.table = PeerTable(lists.allows)
        self.names = _names(lists.allows)
        self.sockets = {abstract: PathTable(_sockets(lists.allows, abstract)) for abstract in (False, True)}
        self.refused = lists.refuse(Reason(f"{verb}.not_allowed"))


class PeerVerb(Verb):
    """egress, ingress or listen."""

    def __init__(self, name: str, said: Sequence[Said], generation: int, moment: Moment) -> None:
        super().__init__(name, said, generation, moment, _peer_depends(name, said))
        lists = {mode: tuple(_PeerLists(lists, name) for lists in self._lists_of(mode)) for mode in STRICTEST_FIRST}
        self._steps = tuple(
            (PeerTable(self._denies_of(mode, PeerRule)), _names(self._denies_of(mode, NameRule)), lists[mode])
            for mode in STRICTEST_FIRST
            if lists[mode] or self._denies_of(mode, PeerRule | NameRule)
        )
        self._sockets = {abstract: self._socket_steps(lists, abstract) for abstract in (False, True)}
        self._number = own if name == "listen" else number  # listening on 0.0.0.0 is listening everywhere
        self._inside = name in ("egress", "ingress")  # loopback is allowed unless denied
        self._named: dict[int, Verdict] = {}  # verdicts that were decided by a name, too

    def _socket_steps(
        self,
        lists: dict[Mode, tuple[_PeerLists, ...]],
        abstract: bool,  # noqa: FBT001 - private
    ) -> tuple[tuple[PathTable, tuple[_PeerLists, ...]], ...]:
        return tuple(
            (PathTable(_sockets(self._denies_of(mode, UnixRule), abstract)), lists[mode]) for mode in STRICTEST_FIRST
        )  # fmt: skip

    def decide(self, address: str, protocol: int, port: int, name: str = "") -> Verdict:
        """The verdict on one peer. What is no address is matched by no rule, and not allowed where there is a list."""
        try:
            where = self._number(address)
        except ValueError:
            return next((lists.refused for _, _, all_lists in self._steps for lists in all_lists), self._otherwise)
        allowed, by_name = None, False
        for denied, names, all_lists in self._steps:
            found = denied.find(where, protocol, port)
            if found is None and names is not None and names.speaks_of(protocol, port):
                by_name, found = True, names.find(plain_name(name), protocol, port)
            if found is not None:
                return self._by_name(found) if by_name else found
            for lists in all_lists:
                found = lists.table.find(where, protocol, port)
                if found is None and self._inside and is_loopback(where):
                    continue
                if found is None and lists.names is not None and lists.names.speaks_of(protocol, port):
                    by_name, found = True, lists.names.find(plain_name(name), protocol, port)
                if found is None:
                    return self._by_name(lists.refused) if by_name else lists.refused
                if allowed is None or lists.below:
                    allowed = found
        verdict = allowed or self._otherwise
        return self._by_name(verdict) if by_name else verdict

    def _by_name(self, verdict: Verdict) -> Verdict:
        """The same verdict, which says that a name was read. As many as there are verdicts."""
        named = self._named.get(id(verdict))
        if named is None:
            named = self._named[id(verdict)] = replace(verdict, depends=verdict.depends | Depends.NAME)
        return named

    def decide_socket(self, event: Unix) -> Verdict:
        """The verdict on a unix socket."""
        file = socket_file(event)
        if file is not None:
            bit = 1 << file.layer.number
            return self._decide_path(canonical(file.path, bit), bit, int(file.flags), abstract=False)
        return self._decide_path("/" + canonical(event.abstract, 0), _IMAGE, 0, abstract=True)

    def _decide_path(self, path: str, bit: int, flags: int, *, abstract: bool) -> Verdict:
        allowed = None
        for denied, all_lists in self._sockets[abstract]:
            found = denied.find(path, bit)
            if found is not None:
                return found
            for lists in all_lists:
                found = lists.sockets[abstract].find(path, bit) if by_path(flags) else None
                if found is None:
                    return lists.refused
                if allowed is None or lists.below:
                    allowed = found
        return allowed or self._otherwise

    def uniform(self, network: Network, port: int, protocol: int) -> bool:
        """Whether no rule tells the addresses of this network apart, in any session and phase. Ask it of every rule."""
        rules = [entry.rule for entry in (*self.denies, *self.allows)]
        speaking = [rule for rule in rules if isinstance(rule, PeerRule | NameRule) and _speaks_of(rule, port, protocol)]
        if any(isinstance(rule, NameRule) or (not rule.when.always and _touches(rule.network, network)) for rule in speaking):
            return False
        if network.num_addresses == 1:
            return True
        if isinstance(network, IPv6Network) and network.overlaps(_MAPPED):
            return False
        inside = [rule.network for rule in speaking if isinstance(rule, PeerRule)]
        return not any(_is_part(one, network) for one in (*inside, *_SPECIAL))


def _names(entries: Iterable[Entry]) -> NameTable | None:
    found = [entry for entry in entries if isinstance(entry.rule, NameRule)]
    return NameTable(found) if found else None


def _sockets(entries: Iterable[Entry], abstract: bool) -> list[Entry]:  # noqa: FBT001 - private
    return [one for one in entries if isinstance(one.rule, UnixRule) and one.rule.abstract is abstract]


def _speaks_of(rule: PeerRule | NameRule, port: int, protocol: int) -> bool:
    return not rule.ports or any(one.protocol == protocol and one.low <= port <= one.high for one in rule.ports)


def _touches(one: Network | None, network: Network) -> bool:
    if one is None:
        return True
    return one.version == network.version and one.overlaps(network)


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
    if any(rule.when.of_arguments for rule in rules):
        depends |= Depends.ARGV
    return depends


def _peer_depends(name: str, said: Sequence[Said]) -> Depends:
    """Without NAME, which `decide` adds where it read one."""
    depends = Depends.CONTAINER
    rules = [rule for _, one in said for rule in (*(one.allow or ()), *one.deny)]
    peers = [rule for rule in rules if isinstance(rule, PeerRule)]
    if any(rule.network is not None for rule in peers) or (name != "listen" and any(one.allow is not None for _, one in said)):
        depends |= Depends.ADDRESS
    if any(rule.ports for rule in rules if isinstance(rule, PeerRule | NameRule)):
        depends |= Depends.PORT
    if any(isinstance(rule, UnixRule) for rule in rules):
        depends |= Depends.PATH | Depends.LAYER
    return depends


# Judged as others than they look: loopback, the unspecified addresses (the kernel connects to loopback), IPv4-mapped ones.
_MAPPED = IPv6Network("::ffff:0:0/96")
_SPECIAL = (IPv4Network("127.0.0.0/8"), IPv4Network("0.0.0.0/32"), IPv6Network("::1"), IPv6Network("::"))
