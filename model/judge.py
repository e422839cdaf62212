"""What the policies say of an event. Compiled once a container and generation of policies, then asked for every first sight.

A verdict is a function of what the kernel's flow key holds (container, program, session, user, the file's names, layer and
flags, access, address, port, protocol), or says in `depends` what else it read. An event that touches several verbs, or
several files, gets the worst of its verdicts.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from model.document import VERBS
from model.event import Access, Change, Direction, Event, Exec, Layer, Load, Net, Open, Session, Unix
from model.origin import Container, Origin
from model.policy import Network, PathRule, PeerRule, Policy, UnixRule
from model.text import from_bytes
from model.verbs import PathVerb, PeerVerb
from model.verdict import Depends, Mode, Outcome, Reason, Severity, Verdict

_WRITES = int(Access.WRITE | Access.CREATE | Access.TRUNCATE | Access.APPEND)
# Members of an enumeration cost 0.2 µs to look up; a module's names don't.
_RUNTIME, _INGRESS, _EGRESS = Session.RUNTIME, Direction.INGRESS, Direction.EGRESS
_VIOLATION, _UNJUDGED, _ALERT = Outcome.VIOLATION, Outcome.UNJUDGED, Mode.ALERT
_OF_FILES = int(Depends.PATH | Depends.LAYER)
_LOUDNESS = {severity: step for step, severity in enumerate(Severity)}


def select(policies: Iterable[Policy], container: Container) -> tuple[Policy, ...]:
    """The policies that speak of this container. Containers with the same ones can share what `build` makes."""
    return tuple(policy for policy in policies if policy.selects(container))


def compile(policies: Sequence[Policy], container: Container, generation: int) -> "Compiled":  # noqa: A001 - that's what it does
    """The judge of one container. `policies` are all there are; those that don't select it are left out."""
    return build(select(policies, container), generation)


def build(selected: Sequence[Policy], generation: int) -> "Compiled":
    """The judge of every container that these policies select."""
    return Compiled(selected, generation)


def judge(compiled: "Compiled", event: Event, origin: Origin) -> Verdict:  # noqa: ARG001 - conditions on it come later
    """The verdict on any event; where no verb applies, one that is unjudged and has no verb."""
    return compiled.judge(event) or compiled.none


class Tripwires(NamedTuple):
    """What the kernel can know of a deny. Paths and names are as events have them."""

    paths: tuple[str, ...]  # of files, and of folders below which all is denied
    names: tuple[str, ...]  # of other patterns: one name that every match has, or has above it
    networks: tuple[Network, ...]


class Compiled:
    """The policies of a container as tables. Never changes: a new generation is a new one."""

    def __init__(self, selected: Sequence[Policy], generation: int) -> None:
        self.policies = tuple(selected)
        self.generation = generation
        self.none = Verdict(Outcome.UNJUDGED, "", Reason.NONE, Mode.LEARN, generation, severity=Severity.LOW)
        self._runtime = replace(self.none, reason=Reason.RUNTIME)
        self.exec, self.load, self.read, self.write = (self._paths(verb) for verb in VERBS[:4])
        self.egress, self.listen = (PeerVerb(verb, self._said(verb), generation) for verb in VERBS[4:])
        self._both_names = self.write.depends | Depends.TARGET
        verbs: list[PathVerb | PeerVerb] = [self.exec, self.load, self.read, self.write, self.egress, self.listen]
        self.verbs = {verb.name: verb for verb in verbs}
        self._by_kind: dict[type, Callable[[Any], Verdict | None]] = {
            Exec: self._exec, Load: self._load, Open: self._open, Change: self._change, Net: self._net, Unix: self._unix,
        }  # fmt: skip

    def _paths(self, verb: str) -> PathVerb:
        return PathVerb(verb, self._said(verb), self.generation)

    def _said(self, verb: str) -> list[tuple[Policy, Any]]:
        return [(policy, policy.verbs[verb]) for policy in self.policies if verb in policy.verbs]

    def judge(self, event: Event) -> Verdict | None:
        """The verdict, or None where no verb applies. The runtime's own steps are never judged."""
        decide = self._by_kind.get(type(event))
        return decide(event) if decide is not None else None

    def _exec(self, event: Exec) -> Verdict:
        if event.actor.session is _RUNTIME:
            return self._runtime
        verdict = self.exec.decide(event.file)
        return verdict if event.script is None else worst(verdict, self.exec.decide(event.script))

    def _load(self, event: Load) -> Verdict:
        return self._runtime if event.actor.session is _RUNTIME else self.load.decide(event.file)

    def _open(self, event: Open) -> Verdict:
        if event.actor.session is _RUNTIME:
            return self._runtime
        access = int(event.access)
        if not access & _WRITES:
            return self.read.decide(event.file)
        written = self.write.decide(event.file)
        return worst(written, self.read.decide(event.file)) if access & 1 else written

    def _change(self, event: Change) -> Verdict:
        if event.actor.session is _RUNTIME:
            return self._runtime
        verdict = self.write.decide(event.file)
        if event.target is None:
            return verdict
        if self.read.denies:  # a new name for what must not be read is the first step to read it
            read = self.read.decide(event.file)
            verdict = worst(verdict, read) if read.reason is Reason.READ_DENIED else verdict
        both = worst(verdict, self.write.decide(event.target))
        return replace(both, depends=self._both_names) if int(both.depends) & _OF_FILES else both

    def _net(self, event: Net) -> Verdict | None:
        direction = event.direction
        if direction is _INGRESS:
            return None
        if event.actor.session is _RUNTIME:
            return self._runtime
        verb = self.egress if direction is _EGRESS else self.listen
        return verb.decide(event.address, event.protocol, event.port)

    def _unix(self, event: Unix) -> Verdict:
        return self._runtime if event.actor.session is _RUNTIME else self.egress.decide_socket(event)

    def uniform(self, verb: str, directory: str, layer: Layer) -> Verdict | None:
        """The one verdict of every file below this directory, at any depth, on this layer and without flags.

        None where some rule could tell them apart. `directory` is a path as events have it.
        """
        compiled = self.verbs[verb]
        return compiled.uniform(directory, layer) if isinstance(compiled, PathVerb) else None

    def uniform_network(self, verb: str, network: Network, port: int, protocol: int) -> Verdict | None:
        """The one verdict of every address in this network, or None where some rule could tell them apart."""
        compiled = self.verbs[verb]
        return compiled.uniform(network, port, protocol) if isinstance(compiled, PeerVerb) else None

    def tripwires(self) -> Tripwires:
        """What is denied: never budgeted away."""
        denies = [entry.rule for verb in VERBS for entry in self.verbs[verb].denies]
        networks = {rule.network for rule in denies if isinstance(rule, PeerRule) and rule.network is not None}
        sockets = {rule for rule in denies if isinstance(rule, UnixRule)}
        files = {rule.glob for rule in denies if not isinstance(rule, PeerRule) and rule.glob and not _is_abstract(rule)}
        whole = {glob for glob in files if glob.literal or glob.whole}
        names = {glob.nearest for glob in (files - whole) | {rule.glob for rule in sockets}} - {""}
        paths = {glob.folder or "/" for glob in whole}
        return Tripwires(_as_events(paths), _as_events(names), tuple(sorted(networks, key=str)))


def _is_abstract(rule: PathRule | UnixRule) -> bool:
    return isinstance(rule, UnixRule) and rule.abstract


def _as_events(texts: set[str]) -> tuple[str, ...]:
    return tuple(sorted(from_bytes(text.encode()) for text in texts))


def worst(first: Verdict, second: Verdict) -> Verdict:
    """The louder of two, knowing what both were decided from. Of what is as loud, the first."""
    chosen = second if _weight(second) > _weight(first) else first
    if first.depends == second.depends:
        return chosen
    depends = first.depends | second.depends
    return chosen if chosen.depends == depends else replace(chosen, depends=depends)


def _weight(verdict: Verdict) -> int:
    """Violations that alert, those that don't, by severity; then what nobody mentions; then what is allowed."""
    if verdict.outcome is _VIOLATION:
        return 2 + _LOUDNESS[verdict.severity] + (8 if verdict.mode is _ALERT else 0)
    return 1 if verdict.outcome is _UNJUDGED else 0
