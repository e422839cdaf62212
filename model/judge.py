"""What the policies say of an event. Compiled once a container and generation of policies, then asked for every first sight.

A verdict is a function of what the kernel's flow key holds (container, program, session, user, the file's names, layer and
flags, access, address, port, protocol), or says in `depends` what else it read.

Tables hold no conditions on session and time. Where rules have them, there is a set of tables for each session, for each phase of
the start-up, and for the exceptions that are in force, made when first asked for.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from model.event import Event, File, Flag, Layer, Session
from model.fields import VERBS
from model.origin import Container, Origin
from model.policy import BASELINE, GUARDRAIL, Exemption, Network, PathRule, PeerRule, Policy, Rule, UnixRule
from model.requirements import verdict_of
from model.tables import TOUCHES, Tables, worst
from model.text import from_bytes
from model.verbs import ANY, Moment
from model.verdict import Depends, Outcome, Verdict

__all__ = ["Compiled", "Tripwires", "build", "compile", "judge", "judge_container", "select", "worst"]

SECOND_NS = 1_000_000_000
MOMENTS = 64  # sets of tables that are kept; those of long ago go first
_LONG_AGO_S = 1 << 40
_VIOLATION, _RUNTIME = Outcome.VIOLATION, Session.RUNTIME
_SESSIONS = {session.number: session.value for session in Session}


def select(policies: Iterable[Policy], container: Container) -> tuple[Policy, ...]:
    """The policies that speak of this container. Containers with the same ones can share what `build` makes."""
    return tuple(policy for policy in policies if policy.selects(container))


def compile(  # noqa: A001 - that's what it does
    policies: Sequence[Policy], container: Container, generation: int, offset_ns: int | None = None
) -> "Compiled":
    """The judge of one container. `policies` are all there are; those that don't select it are left out."""
    return build(select(policies, container), generation, offset_ns)


def build(selected: Sequence[Policy], generation: int, offset_ns: int | None = None) -> "Compiled":
    """The judge of every container that these policies select.

    `offset_ns`: Unix time minus boot time. Without it no exception is in force, for nobody knows the day.
    """
    return Compiled(selected, generation, offset_ns)


def judge(compiled: "Compiled", event: Event, origin: Origin) -> Verdict:
    """The verdict on any event; where no verb applies, one that is unjudged and has no verb."""
    return compiled.judge(event, origin.container.started_ns) or compiled.none


def judge_container(compiled: "Compiled", container: Container, now_ns: int = 0) -> tuple[Verdict, ...]:
    """What is required of the container itself, whatever it does: one verdict for each requirement of each policy.

    They intersect: every one is to be met. Where nothing is known of a fact, its verdict is unjudged and says so. `now_ns`: boot
    time, for exceptions.
    """
    return tuple(
        compiled.excepted(verdict_of(one, policy.id, container, compiled.generation), now_ns)
        for policy in compiled.policies
        for one in policy.requirements
    )


class Tripwires(NamedTuple):
    """What the kernel can know of a deny. Paths and names are as events have them."""

    paths: tuple[str, ...]  # of files, and of folders below which all is denied
    names: tuple[str, ...]  # of other patterns: one name that every match has, or has above it
    networks: tuple[Network, ...]


class Compiled:
    """The policies of a container as tables. Means the same for ever: a new generation is a new one."""

    def __init__(self, selected: Sequence[Policy], generation: int, offset_ns: int | None = None) -> None:
        self.policies = tuple(_in_force(selected))
        self.generation = generation
        self._offset_ns = offset_ns
        rules = list(_rules(self.policies))
        self._by_session = any(rule.when.sessions for _, rule in rules)
        self._phases = sorted({rule.when.startup_s for _, rule in rules if rule.when.startup_s})
        timed = {verb for verb, rule in rules if rule.when.startup_s}
        self._timed = frozenset(kind for kind, verbs in TOUCHES.items() if timed.intersection(verbs))
        self._exemptions = sorted((one for policy in self.policies for one in policy.exemptions), key=lambda one: one.until_ns)
        self._ends = [one.until_ns for one in self._exemptions]
        self._made: OrderedDict[Moment, Tables] = OrderedDict()
        self.every = Tables(self.policies, generation, ANY)
        self._steady = not self._by_session and not self._phases and not self._exemptions
        self.none = self.every.none
        self.verbs = self.every.verbs

    def judge(self, event: Event, started_ns: int = 0) -> Verdict | None:
        """The verdict, or None where no verb applies. The runtime's own steps are never judged.

        `started_ns`: boot time of the container's start; 0 where it isn't known: then its start-up is over.
        """
        return self.every.judge(event) if self._steady else self._judge_in_time(event, started_ns)

    def _judge_in_time(self, event: Event, started_ns: int) -> Verdict | None:
        kind = type(event)
        if kind not in TOUCHES or event.actor.session is _RUNTIME:  # type: ignore[union-attr]
            return self.every.judge(event)
        session = _SESSIONS[event.actor.session.number] if self._by_session else ""  # type: ignore[union-attr]
        phase = self._phase(event.time_ns, started_ns) if kind in self._timed else len(self._phases)
        moment = self._moment(session, phase)
        verdict = self._tables(moment).judge(event)
        if verdict is not None and verdict.outcome is _VIOLATION and self._exemptions:
            verdict = self._with_exceptions(event, verdict, moment)
        if verdict is None or phase == len(self._phases):
            return verdict
        ends_ns = started_ns + self._phases[phase] * SECOND_NS
        return _until(verdict, ends_ns)

    def _phase(self, now_ns: int, started_ns: int) -> int:
        """How many of the start-up phases are over."""
        return bisect_right(self._phases, (now_ns - started_ns) // SECOND_NS) if started_ns else len(self._phases)

    def _moment(self, session: str, phase: int) -> Moment:
        over = phase == len(self._phases)
        return Moment(session, _LONG_AGO_S if over else self._phases[phase - 1] if phase else 0)

    def _tables(self, moment: Moment) -> Tables:
        tables = self._made.get(moment)
        if tables is None:
            tables = self._made[moment] = Tables(self.policies, self.generation, moment)
            if len(self._made) > MOMENTS:
                self._made.popitem(last=False)
        return tables

    def _in_force_at(self, now_ns: int) -> list[Exemption]:
        if self._offset_ns is None:
            return []
        return self._exemptions[bisect_right(self._ends, now_ns + self._offset_ns) :]

    def _with_exceptions(self, event: Event, verdict: Verdict, moment: Moment) -> Verdict:
        """The verdict, excepted where nothing else than what exceptions cover is violated."""
        in_force = self._in_force_at(event.time_ns)
        names = self._tables(moment).verbs[verdict.verb].excepted_by(verdict.rule)
        covering = [one for one in in_force if one.rule in names]
        if not covering:
            return verdict
        without = self._tables(replace(moment, excepted=frozenset(one.rule for one in in_force))).judge(event)
        if without is not None and without.outcome is _VIOLATION:
            return _until(without, self._boot_ns(in_force[0]))
        return self._excepted(verdict, covering)

    def excepted(self, verdict: Verdict, now_ns: int) -> Verdict:
        """A violated requirement, excepted where an exception names it."""
        names = (verdict.rule, verdict.rule.rpartition("/")[0])
        covering = [one for one in self._in_force_at(now_ns) if one.rule in names] if verdict.outcome is _VIOLATION else []
        return self._excepted(verdict, covering) if covering else verdict

    def _excepted(self, verdict: Verdict, covering: Sequence[Exemption]) -> Verdict:
        longest = covering[-1]  # they are in the order of their ends
        return _until(replace(verdict, outcome=Outcome.EXCEPTED, exception=longest.told), self._boot_ns(longest))

    def _boot_ns(self, exemption: Exemption) -> int:
        return max(1, exemption.until_ns - (self._offset_ns or 0))

    def uniform(self, verb: str, directory: str, layer: Layer) -> Verdict | None:
        """The one verdict of every file below this directory, at any depth, on this layer and without flags.

        None where some rule could tell them apart. `directory` is a path as events have it.
        """
        compiled = self.every.paths.get(verb)
        if compiled is None or not compiled.uniform(directory, layer):
            return None
        return self._at_last().paths[verb].decide(File(f"{directory.rstrip('/')}/any", layer, Flag(0), 0, 0, 0, 0, 0))

    def uniform_network(self, verb: str, network: Network, port: int, protocol: int) -> Verdict | None:
        """The one verdict of every address in this network, or None where some rule could tell them apart."""
        compiled = self.every.peers.get(verb)
        if compiled is None or not compiled.uniform(network, port, protocol):
            return None
        return self._at_last().peers[verb].decide(str(network.network_address), protocol, port)

    def _at_last(self) -> Tables:
        """The tables after every start-up, of any session: for what no condition is about."""
        return self.every if self._steady else self._tables(self._moment("", len(self._phases)))

    def tripwires(self) -> Tripwires:
        """What is denied: never budgeted away. Also what is denied on some condition; not what is denied by a DNS name."""
        denies = [entry.rule for verb in VERBS if verb != "ingress" for entry in self.verbs[verb].denies]
        networks = {rule.network for rule in denies if isinstance(rule, PeerRule) and rule.network is not None}
        sockets = {rule for rule in denies if isinstance(rule, UnixRule)}
        named = (rule for rule in denies if isinstance(rule, PathRule | UnixRule) and not _is_abstract(rule))
        files = {rule.glob for rule in named if rule.glob is not None}
        whole = {glob for glob in files if glob.literal or glob.whole}
        names = {glob.nearest for glob in (files - whole) | {rule.glob for rule in sockets}} - {""}
        paths = {glob.folder or "/" for glob in whole}
        return Tripwires(_as_events(paths), _as_events(names), tuple(sorted(networks, key=str)))


def _in_force(selected: Sequence[Policy]) -> Iterator[Policy]:
    """A baseline holds where nothing else selects the container. A guardrail is a ceiling: it alone allows nothing."""
    own = any(policy.tier not in (GUARDRAIL, BASELINE) for policy in selected)
    return (policy for policy in selected if not own or policy.tier != BASELINE)


def _rules(policies: Iterable[Policy]) -> Iterator[tuple[str, Rule]]:
    for policy in policies:
        for verb, rules in policy.verbs.items():
            yield from ((verb, rule) for rule in (*(rules.allow or ()), *rules.deny))


def _until(verdict: Verdict, ends_ns: int) -> Verdict:
    """The same verdict, which holds until then."""
    ends_ns = min(ends_ns, verdict.expires_ns or ends_ns)
    return replace(verdict, expires_ns=ends_ns, depends=verdict.depends | Depends.TIME)


def _is_abstract(rule: PathRule | UnixRule) -> bool:
    return isinstance(rule, UnixRule) and rule.abstract


def _as_events(texts: set[str]) -> tuple[str, ...]:
    return tuple(sorted(from_bytes(text.encode()) for text in texts))
