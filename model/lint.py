"""Warnings about policies that are valid: what allows everything, what another rule hides, what nothing could match.

Each with a hint. Rule by rule, list by list, and across policies where one surely selects whatever another does. What depends
on rules together, or on containers that are not known, is not said. Cost: linear in the rules, but for PAIRS and `cover.TRIES`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from model.cover import Cover, conditions, selects_all_of
from model.document import VERBS
from model.glob import Glob
from model.policy import PathRule, PeerRule, Policy, Ports, Rule, Rules, UnixRule
from model.problem import Code, Problem, Text, shown
from model.select import Selector
from model.suspect import behind_link, impossible, too_wide
from model.verbs import layers_of
from model.verdict import Mode
from model.waits import waits

PAIRS = 200_000  # pairs of policies whose selectors are compared

Warn = Callable[[Code, str, str, str], None]
"""(code, source, message, hint)."""


def lint(policies: Sequence[Policy], texts: Mapping[str, str]) -> list[Problem]:
    """Every warning, in the order of the files. `texts`: by the names given to `parse`; for quoting."""
    found: list[Problem] = []
    warn = warner(texts, found)
    _lint_names(policies, warn)
    for policy in policies:
        _lint_policy(policy, warn)
    _lint_across(policies, warn)
    order = {name: number for number, name in enumerate(texts)}
    return sorted(found, key=lambda one: (order.get(one.file, len(order)), one.line, one.column))


def warner(texts: Mapping[str, str], found: list[Problem]) -> Warn:
    """A function that adds a warning, with the quoted line. What stands in none of these texts is nobody's to mend here."""
    sources = {text.name: text for text in (Text(text, name) for name, text in texts.items())}

    def warn(code: Code, source: str, message: str, hint: str) -> None:
        text = sources.get(source.rsplit(":", 2)[0])
        if text is not None:
            found.append(text.problem(text.mark_of(source), message, hint, "warning", code))

    return warn


def _lint_names(policies: Sequence[Policy], warn: Warn) -> None:
    seen: dict[str, Policy] = {}
    for policy in policies:
        first = seen.setdefault(policy.id, policy)
        if first is not policy:
            hint = f"the first one is at {first.source}; the ids of their rules can't be told apart"
            warn(Code.SAME_NAME, policy.source, f"a second policy named {shown(policy.id)}", hint)


def _lint_policy(policy: Policy, warn: Warn) -> None:
    modes = {rules.mode for rules in policy.verbs.values()}
    for wait in waits(policy):
        warn(Code.WAITS, wait.source, wait.message, wait.hint)
    if not policy.verbs and not policy.requirements:
        hint = f"add rules for a verb: {', '.join(VERBS)}"
        warn(Code.NO_RULES, policy.source, f"{shown(policy.name)} judges nothing", hint)
    if modes == {Mode.LEARN} and not selects_all_of(policy.selector, Selector()):
        hint = "set mode: alert when its lists are complete"
        warn(Code.ONLY_LEARNS, policy.source, f"{shown(policy.name)} only learns: nobody is told what it does not allow", hint)
    for verb, rules in policy.verbs.items():
        _lint_verb(verb, rules, warn)


def _lint_verb(verb: str, rules: Rules, warn: Warn) -> None:
    for deny, listed in ((False, rules.allow or ()), (True, rules.deny)):
        possible = [rule for rule in listed if _is_possible(verb, rule, deny, warn)]
        _lint_list(verb, possible, deny, warn)
        for rule in () if deny else possible:
            for code, message, hint in too_wide(verb, rule):
                warn(code, rule.source, message, hint)
    if verb == "listen":
        _lint_ports([rule for rule in rules.allow or () if isinstance(rule, PeerRule)], warn)
    _lint_denied(verb, rules.allow or (), Cover(verb, rules.deny, deny=True), None, warn)


def _is_possible(verb: str, rule: Rule, deny: bool, warn: Warn) -> bool:  # noqa: FBT001 - private
    doubt = impossible(verb, rule, deny=deny)
    if doubt is not None:
        code, message, hint = doubt
        warn(code, rule.source, message, hint)
    return doubt is None


def _lint_list(verb: str, listed: Sequence[Rule], deny: bool, warn: Warn) -> None:  # noqa: FBT001 - private
    cover = Cover(verb, listed, deny=deny)
    first: dict[str, Rule] = {}
    for rule in listed:
        same = first.setdefault(rule.digest, rule)
        layers = layers_of(verb, rule, deny=deny)
        above = None if same is not rule else cover.above(rule, layers, itself=False)
        if same is not rule:
            warn(Code.TWICE, rule.source, f"{shown(rule.text)} stands here twice", f"the first one is at {same.source}")
        elif above is not None:
            hint = f"leave it out, or narrow the one at {above.source}"
            warn(Code.SHADOWED, rule.source, f"{shown(rule.text)} says nothing that {shown(above.text)} does not", hint)
        else:
            _lint_link(rule, layers, cover, deny, warn)


def _lint_link(rule: Rule, layers: int, cover: Cover, deny: bool, warn: Warn) -> None:  # noqa: FBT001 - private
    """A path through a link of most images, where the list does not have the other form too.

    Not of a socket that is allowed: one that is absent is reported as it was asked for.
    """
    if not isinstance(rule, PathRule) and not (deny and isinstance(rule, UnixRule)):
        return
    if (behind := behind_link(rule)) is None:
        return
    link, written = behind
    if cover.above(replace(rule, glob=Glob(written)), layers, itself=True) is None:
        message = f"{shown(rule.text)} is seldom reported: {link} is a link in most images"
        warn(Code.ELSEWHERE, rule.source, message, f'write "{written}", or both where it is a folder in some')


def _lint_ports(rules: Sequence[PeerRule], warn: Warn) -> None:
    """Ports that two entries of a list name, or one entry twice. Where one holds all of the other, that is said already."""
    tables: dict[object, list[tuple[Ports, PeerRule]]] = {}
    for rule in rules:
        for one in rule.ports:
            tables.setdefault((rule.network, one.protocol, conditions(rule)), []).append((one, rule))
    for table in tables.values():
        _lint_overlaps(sorted(table, key=lambda row: (row[0].low, row[0].high)), warn)


def _lint_overlaps(rows: Sequence[tuple[Ports, PeerRule]], warn: Warn) -> None:
    furthest, first = rows[0]
    for one, rule in rows[1:]:
        inside = first is not rule and (_holds(furthest, one) or _holds(one, furthest))
        if one.low <= furthest.high and not inside:
            high = min(furthest.high, one.high)
            ports = f"{one.low}-{high}" if high > one.low else f"{one.low}"
            message = f"{shown(rule.text)} has port {ports}/{one.protocol.name.lower()} a second time"
            warn(Code.OVERLAP, rule.source, message, f"the first one is at {first.source}")
        if one.high > furthest.high:
            furthest, first = one, rule


def _holds(wide: Ports, narrow: Ports) -> bool:
    return wide.low <= narrow.low and narrow.high <= wide.high


def _lint_denied(verb: str, allow: Sequence[Rule], denied: Cover, whose: Policy | None, warn: Warn) -> None:
    name = f" policy {shown(whose.id)}" if whose else ""
    for rule in allow:
        above = denied.above(rule, layers_of(verb, rule, deny=False), itself=True)
        if above is None:
            continue
        if above.digest == rule.digest:
            message, code = f"{shown(rule.text)} is allowed here and denied{name and f' by{name}'}: deny wins", Code.CONTRADICTION
        else:
            message, code = (
                f"{shown(rule.text)} is never allowed: {shown(above.text)}{name and f' of{name}'} denies it",
                Code.UNREACHABLE,
            )
        warn(code, rule.source, message, f"see {above.source}")


def _lint_across(policies: Sequence[Policy], warn: Warn) -> None:
    covers: dict[tuple[str, str], Cover] = {}
    for wide, narrow in _nested(policies):
        for verb in sorted(wide.verbs.keys() & narrow.verbs.keys()):
            above, rules = wide.verbs[verb], narrow.verbs[verb]
            if above.deny and (above.mode is not Mode.LEARN or rules.mode is Mode.LEARN):  # one that learns hides no alert
                denied = covers.get((wide.source, verb)) or Cover(verb, above.deny, deny=True)
                covers[wide.source, verb] = denied
                _lint_denied(verb, rules.allow or (), denied, wide, warn)


def _is_baseline(policy: Policy) -> bool:
    """Whether it steps back where another policy selects the container."""
    return getattr(policy, "tier", "") == "baseline"


def _nested(policies: Sequence[Policy]) -> Iterator[tuple[Policy, Policy]]:
    """Pairs of which the first one surely selects all that the second one does."""
    compared = 0
    for wide in policies:
        for narrow in policies:
            compared += 1
            if compared > PAIRS:
                return
            if wide is not narrow and not _is_baseline(wide) and selects_all_of(wide.selector, narrow.selector):
                yield wide, narrow
