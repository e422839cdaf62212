"""A policy: which containers it selects, and what they may do. `parse` reads the documents of a text.

The unit is the verb. A verb that nobody mentions is recorded, not judged; an `allow` list makes it default-deny; `deny`
alone doesn't, and always wins.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache

from msgspec import Struct
from pydantic import ValidationError

from model.complaints import problems_of
from model.document import CLUSTER_POLICY, DocumentShape, ImageShape, PrivilegesShape, SelectShape, SpecShape, VerbShape
from model.entries import EgressListsShape, IngressListsShape, ListenListsShape, PathsShape, ProgramsShape
from model.fields import VERBS, day
from model.origin import Container
from model.positions import Node, read
from model.presets import PRESETS, verbs_of
from model.problem import PolicyError, Problem, Text, nearest, shown
from model.requirements import Requirement
from model.rule import (
    KubernetesRule,
    NameRule,
    Network,
    PathRule,
    PeerRule,
    Ports,
    Rule,
    UnixRule,
    rule_of,
)
from model.select import Selector
from model.verdict import Mode, Severity

__all__ = [
    "Exemption", "KubernetesRule", "NameRule", "Network", "PathRule", "PeerRule", "Policy", "Ports", "Rule", "Rules", "UnixRule",
    "parse", "repeated",
]  # fmt: skip

PRESET = "preset "  # what the source of an included rule begins with
GUARDRAIL, BASELINE = "guardrail", "baseline"
_DAY_NS = 86_400 * 1_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_SHAPES: dict[str, type[VerbShape]] = {
    "exec": ProgramsShape, "load": PathsShape, "read": PathsShape, "write": PathsShape, "egress": EgressListsShape,
    "ingress": IngressListsShape, "listen": ListenListsShape,
}  # fmt: skip


class Rules(Struct, frozen=True):
    """What a policy says of one verb. `allow` is None where it has no such list."""

    allow: tuple[Rule, ...] | None
    deny: tuple[Rule, ...]
    mode: Mode  # as written: a node that can't enforce takes enforce for alert
    source: str  # of the allow list, or of the verb
    severity: Severity | None = None  # None: each reason's own


class Exemption(Struct, frozen=True):
    """A violation that is known (`exceptions`): until its day has ended it is recorded, and no finding."""

    rule: str  # policy/verb, policy/verb/allow, policy/verb/deny/digest, policy/image/registries …
    until: str  # the last day, in UTC
    until_ns: int  # its end, Unix time
    owner: str
    why: str
    source: str

    @property
    def told(self) -> str:
        """In one line."""
        return f"{self.owner} until {self.until}: {self.why}"


class Policy(Struct, frozen=True):
    """One document."""

    name: str
    selector: Selector
    verbs: dict[str, Rules]
    source: str  # of its name
    tier: str = ""  # guardrail, baseline; "" for a policy of its own
    include: tuple[str, ...] = ()  # presets; their rules are in `verbs`
    requirements: tuple[Requirement, ...] = ()
    exemptions: tuple[Exemption, ...] = ()

    @property
    def id(self) -> str:
        """namespace/name, or name: unique in a set of policies."""
        namespace = self.selector.namespace
        return f"{namespace}/{self.name}" if namespace else self.name

    def selects(self, container: Container) -> bool:
        """Whether it speaks of this container."""
        return self.selector.fits(container)

    def targets(self) -> tuple[str, ...]:
        """What an exception of this policy can name."""
        found: list[str] = []
        for verb, rules in self.verbs.items():
            found.append(f"{self.id}/{verb}")
            found += [f"{self.id}/{verb}/allow"] if rules.allow is not None else []
            found += [f"{self.id}/{verb}/deny/{rule.digest}" for rule in rules.deny]
        for one in self.requirements:
            found += [f"{self.id}/{one.verb}", f"{self.id}/{one.verb}/{one.field}"]
        return tuple(dict.fromkeys(found))


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
            policies.append(_policy(document, source, problems))
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


def _policy(document: Node, text: Text, problems: list[Problem]) -> Policy:
    """The policy; what is wrong between its parts is added to the problems."""
    shape = DocumentShape.model_validate(document.plain())
    metadata, spec = shape.metadata, shape.spec
    problems += _misplaced(shape, document, text)
    name = text.source(document.find(("metadata", "name")).mark)
    policy = Policy(
        metadata.name, _selector(spec.select, metadata.namespace), _verbs(spec, document, text), name,
        spec.tier or "", tuple(dict.fromkeys(spec.include or ())), tuple(_requirements(spec, document, text)),
    )  # fmt: skip
    return _with_exemptions(policy, spec, document, text, problems)


def _misplaced(shape: DocumentShape, document: Node, text: Text) -> Iterable[Problem]:
    """What one kind of policy has and the other has not."""
    cluster, tier, namespace = shape.kind == CLUSTER_POLICY, shape.spec.tier, shape.metadata.namespace
    kind = document.find(("kind",)).mark
    if cluster and tier is None:
        hint = "guardrail: a ceiling for every policy below it; baseline: holds where nothing else selects the container"
        yield text.problem(kind, 'a ClusterPolicy needs a field "tier" in spec', hint)
    if cluster and namespace is not None:
        at = document.find(("metadata", "namespace")).mark
        yield text.problem(at, "a ClusterPolicy has no namespace", "spec: {select: {namespaces: […]}} names some")
    if not cluster and tier is not None:
        yield text.problem(document.find(("spec", "tier")).mark, "a Policy has no tier", "kind: ClusterPolicy has")
    if namespace is not None and shape.spec.select.namespaces is not None:
        at = document.find(("spec", "select", "namespaces")).mark
        yield text.problem(at, "a policy with a namespace selects in that one alone", "leave one of the two out")


def _selector(select: SelectShape, namespace: str | None) -> Selector:
    names = (select.containers.names if select.containers else None) or ()
    kinds = (select.containers.kinds if select.containers else None) or ()
    return Selector(
        tuple(names), tuple(select.images or ()), namespace or "", tuple(select.namespaces or ()), tuple(kinds),
        tuple(sorted((select.labels or {}).items())), tuple(select.workloads or ()),
    )  # fmt: skip


def _verbs(spec: SpecShape, document: Node, text: Text) -> dict[str, Rules]:
    """Each verb's rules: the document's own, then those of its presets."""
    verbs = {}
    for verb in VERBS:
        said: VerbShape | None = getattr(spec, verb)
        parts = [_lists(said, document.find(("spec", verb)), text)] if said is not None else []
        parts += [_preset(preset)[verb] for preset in dict.fromkeys(spec.include or ()) if verb in verbs_of(preset)]
        if parts:
            severity = spec.severity.get(verb)
            verbs[verb] = _united(parts, Mode(spec.mode[verb]), Severity(severity) if severity else None)
    return verbs


class _Lists(Struct, frozen=True):
    allow: tuple[Rule, ...] | None
    deny: tuple[Rule, ...]
    source: str


def _united(parts: list[_Lists], mode: Mode, severity: Severity | None) -> Rules:
    listed = [part for part in parts if part.allow is not None]
    allow = tuple(rule for part in listed for rule in part.allow or ()) if listed else None
    deny = tuple(rule for part in parts for rule in part.deny)
    return Rules(allow, deny, mode, (listed or parts)[0].source, severity)


@cache
def _preset(name: str) -> dict[str, _Lists]:
    """The rules of a preset, read once. A mistake in it is ours."""
    text = Text(PRESETS[name], PRESET + name)
    (node,) = read(text)
    plain = node.plain()
    if not isinstance(plain, dict):
        raise TypeError(f"preset {name} is no mapping")
    return {verb: _lists(_SHAPES[verb].model_validate(said), node.find((verb,)), text) for verb, said in plain.items()}


def _lists(shape: VerbShape, node: Node, text: Text) -> _Lists:
    allow = _list(shape, "allow", node, text) if "allow" in shape.model_fields_set else None
    at = node.keys.get("allow") or node.mark
    return _Lists(allow, _list(shape, "deny", node, text), text.source(at))


def _list(shape: VerbShape, which: str, node: Node, text: Text) -> tuple[Rule, ...]:
    items = getattr(shape, which)
    return tuple(rule_of(item, text.source(node.find((which, index)).mark)) for index, item in enumerate(items))


def _requirements(spec: SpecShape, document: Node, text: Text) -> Iterable[Requirement]:
    for verb in ("image", "privileges"):
        shape: ImageShape | PrivilegesShape | None = getattr(spec, verb)
        if shape is None:
            continue
        severity = spec.severity.get(verb)
        for field, value in shape.model_dump(by_alias=True, exclude_unset=True).items():
            source = text.source(document.find(("spec", verb, field)).mark)
            yield Requirement(
                verb, field, _words(value), Mode(spec.mode[verb]), source, Severity(severity) if severity else None
            )  # fmt: skip


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(str, value))
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _with_exemptions(policy: Policy, spec: SpecShape, document: Node, text: Text, problems: list[Problem]) -> Policy:
    targets, found = policy.targets(), []
    for index, item in enumerate(spec.exceptions or ()):
        node = document.find(("spec", "exceptions", index))
        rule = _target(item.rule, policy, targets)
        if rule is None:
            problems.append(_unknown_rule(item.rule, targets, node, text))
            continue
        ends = (day(item.until).toordinal() + 1 - _EPOCH) * _DAY_NS
        found.append(Exemption(rule, item.until, ends, item.owner, item.why, text.source(node.mark)))
    return Policy(
        policy.name, policy.selector, policy.verbs, policy.source, policy.tier, policy.include, policy.requirements, tuple(found)
    )


def _target(written: str, policy: Policy, targets: tuple[str, ...]) -> str | None:
    """The id that is meant: with the policy's namespace or without it."""
    full = f"{policy.selector.namespace}/{written}" if policy.selector.namespace else written
    return next((one for one in (written, full) if one in targets), None)


def _unknown_rule(written: str, targets: tuple[str, ...], node: Node, text: Text) -> Problem:
    known = ", ".join(targets[:8]) + (" …" if len(targets) > 8 else "")
    says = f"its own rules are: {known}" if known else "it has no rules to except"
    hint = "  ".join(filter(None, (nearest(written, targets), says)))
    return text.problem(node.find(("rule",)).mark, f"this policy has no rule {shown(written)}", hint)


def id_of(policy: Policy, verb: str, which: str, rule: Rule) -> str:
    """A rule's id: stable when lists are reordered."""
    return f"{policy.id}/{verb}/{which}/{rule.digest}"
