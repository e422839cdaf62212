"""All verbs of one moment as tables, and which of them an event touches.

An event that touches several verbs, or several files, gets the worst of its verdicts.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from model.event import Access, Change, Direction, Event, Exec, Load, Net, Open, Operation, Session, Unix
from model.fields import VERBS
from model.policy import Policy
from model.program import called, called_script
from model.verbs import Moment, PathVerb, PeerVerb
from model.verdict import Depends, Mode, Outcome, Reason, Severity, Verdict

TOUCHES: dict[type, tuple[str, ...]] = {
    Exec: ("exec",), Load: ("load",), Open: ("read", "write"), Change: ("write", "read"), Net: ("egress", "ingress", "listen"),
    Unix: ("egress",),
}  # fmt: skip
"""The verbs that an event of a kind may touch."""

_WRITES = int(Access.WRITE | Access.CREATE | Access.TRUNCATE | Access.APPEND)
# Members of an enumeration cost 0.2 µs to look up; a module's names don't.
_RUNTIME, _INGRESS, _EGRESS = Session.RUNTIME, Direction.INGRESS, Direction.EGRESS
_RENAME, _LINK = Operation.RENAME, Operation.LINK
_VIOLATION, _UNJUDGED, _ALERT = Outcome.VIOLATION, Outcome.UNJUDGED, Mode.ALERT
_OF_FILES = int(Depends.PATH | Depends.LAYER)
_LOUDNESS = {severity: step for step, severity in enumerate(Severity)}


class Tables:
    """The verbs of these policies. Never changes."""

    def __init__(self, policies: Sequence[Policy], generation: int, moment: Moment) -> None:
        said = {verb: [(policy, policy.verbs[verb]) for policy in policies if verb in policy.verbs] for verb in VERBS}
        self.none = Verdict(Outcome.UNJUDGED, "", Reason.NONE, Mode.LEARN, generation, severity=Severity.LOW)
        self._runtime = replace(self.none, reason=Reason.RUNTIME)
        self.exec, self.load, self.read, self.write = (
            PathVerb(verb, said[verb], generation, moment) for verb in ("exec", "load", "read", "write")
        )
        self.egress, self.ingress, self.listen = (
            PeerVerb(verb, said[verb], generation, moment) for verb in ("egress", "ingress", "listen")
        )
        self._with_arguments = Depends.ARGV in self.exec.depends
        self._both_names = self.write.depends | Depends.TARGET
        paths, peers = (self.exec, self.load, self.read, self.write), (self.egress, self.ingress, self.listen)
        self.paths: dict[str, PathVerb] = {verb.name: verb for verb in paths}
        self.peers: dict[str, PeerVerb] = {verb.name: verb for verb in peers}
        self.verbs: dict[str, PathVerb | PeerVerb] = {**self.paths, **self.peers}
        self._by_kind: dict[type, Callable[[Any], Verdict]] = {
            Exec: self._exec, Load: self._load, Open: self._open, Change: self._change, Net: self._net, Unix: self._unix,
        }  # fmt: skip

    def judge(self, event: Event) -> Verdict | None:
        """The verdict, or None where no verb applies. The runtime's own steps are never judged."""
        decide = self._by_kind.get(type(event))
        return decide(event) if decide is not None else None

    def _exec(self, event: Exec) -> Verdict:
        if event.actor.session is _RUNTIME:
            return self._runtime
        if self._with_arguments:
            verdict = self.exec.decide(event.file, called(event))
            return verdict if event.script is None else worst(verdict, self.exec.decide(event.script, called_script(event)))
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
        verdict, operation = self.write.decide(event.file), event.operation
        if event.target is None and operation is not _RENAME and operation is not _LINK:
            return verdict
        if self.read.denies:  # a new name for what must not be read is the first step to read it
            read = self.read.decide(event.file)
            verdict = worst(verdict, read) if read.reason is Reason.READ_DENIED else verdict
        both = verdict if event.target is None else worst(verdict, self.write.decide(event.target))  # None: it was not told
        return replace(both, depends=self._both_names) if int(both.depends) & _OF_FILES else both

    def _net(self, event: Net) -> Verdict:
        if event.actor.session is _RUNTIME:
            return self._runtime
        direction = event.direction
        if direction is _EGRESS:
            return self.egress.decide(event.address, event.protocol, event.port, event.name)
        if direction is _INGRESS:  # the port is ours: of those who come, each has another one
            return self.ingress.decide(event.address, event.protocol, event.local_port)
        return self.listen.decide(event.address, event.protocol, event.port)

    def _unix(self, event: Unix) -> Verdict:
        return self._runtime if event.actor.session is _RUNTIME else self.egress.decide_socket(event)


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
