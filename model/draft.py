"""A first policy as text: what was seen of a workload, with comments on what a reader must know before trusting it.

The text is judged before it is given away: what it does not allow of that which was seen is said in it. The same records give
the same text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from model.behaviour import Behaviour, Seen
from model.collapse import literal
from model.document import API
from model.glob import GlobError, check
from model.judge import build, judge
from model.lint import lint
from model.policy import Policy, parse
from model.reference import reference
from model.suggest import DRAFTED, rules_of
from model.suggestion import Rule
from model.text import printable
from model.verdict import Outcome

WATCHED_S: Final = 300.0  # so long a container must have been watched until its first seconds are told apart
SHOWN: Final = 20  # of a list in the comments
WIDEST: Final = 120  # characters of one of them
RULE_BYTES: Final = 256 << 10  # of all rules; a policy file has at most 1 MiB
_PLAIN: Final = re.compile(r"/[A-Za-z0-9_./@+*-]*|[A-Za-z][A-Za-z0-9_./-]*|[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]+)?|[0-9-]+/[a-z]+")
_WORDS: Final = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Uncovered(Struct, frozen=True):
    """Something that was seen and is not allowed by the policy."""

    what: str
    reason: str
    records: int
    example: str


class Facts(Struct, frozen=True):
    """What the suggestion rests on."""

    records: int
    containers: int
    watched_s: float
    began: str  # wall time of the first record
    ended: str
    partial: tuple[str, ...]  # what was lost or not itemised in that time
    not_used: dict[str, int]  # records and counts, by why


class Draft(Struct, frozen=True):
    """A suggestion: the text, and what each rule comes from."""

    policy: str
    rules: tuple[Rule, ...]
    uncovered: tuple[Uncovered, ...]
    facts: Facts


class Workload(Struct, frozen=True):
    """Whom the policy is for."""

    name: str  # of the container
    namespace: str = ""  # of the pod


def draft(workload: Workload, behaviour: Behaviour) -> Draft:
    """The first policy of this workload. Raises PolicyError where its name can't stand in a policy."""
    seen = sorted(behaviour.seen.values(), key=lambda one: repr(one.subject))
    facts, images = _facts(behaviour), _images(workload, behaviour, seen)
    rules = _fitting(rules_of(seen, early=behaviour.told_apart_s() >= WATCHED_S))
    while True:
        text, places = _text(workload, images, rules, facts, ())
        policies = parse(text, "")
        doubtful = {places[problem.line] for problem in lint(policies, {"": text}) if problem.line in places}
        if not doubtful:
            break
        rules = [rule for number, rule in enumerate(rules) if number not in doubtful]
    uncovered = tuple(_uncovered(policies[0], seen))
    text, _ = _text(workload, images, rules, facts, uncovered)
    return Draft(text, tuple(rules), uncovered, facts)


def _fitting(rules: Sequence[Rule]) -> list[Rule]:
    """As many as a file may hold: names of 4,000 strange characters must not cost the others their place."""
    left, kept = RULE_BYTES, set()
    for number, rule in sorted(enumerate(rules), key=lambda one: (len(_item(one[1])), one[0])):
        left -= len(_item(rule))
        if left >= 0:
            kept.add(number)
    return [rule for number, rule in enumerate(rules) if number in kept]


def _facts(behaviour: Behaviour) -> Facts:
    times = behaviour.times.values()
    watched_s = sum(one.last_ns - one.first_ns for one in times) / 1e9
    began, ended = min((one.first for one in times), default=""), max((one.last for one in times), default="")
    not_used = dict(sorted(behaviour.left_out.items()))
    return Facts(behaviour.records, len(behaviour.containers), watched_s, began, ended, tuple(_partial(behaviour)), not_used)


def _images(workload: Workload, behaviour: Behaviour, seen: Sequence[Seen]) -> list[str]:
    """Repositories, where all containers have one and their patterns fit; else the name alone selects."""
    if "" in behaviour.images or len(behaviour.images) > SHOWN:
        return []
    images = sorted({literal(reference(image).repository) for image in behaviour.images})
    try:
        for image in images:
            check("/" + image)
        policy = parse("\n".join(_head(workload, images)) + "\n  exec: {allow: []}\n", "")[0]
    except (GlobError, ValueError):
        return []
    return images if all(policy.selects(one.origin.container) for one in seen) else []


def _uncovered(policy: Policy, seen: Sequence[Seen]) -> Iterator[Uncovered]:
    """What the judge says no to, of all that was seen."""
    compiled, told = build((policy,), 0), set()
    for one in seen:
        verdict = judge(compiled, one.event, one.origin)
        if verdict.outcome is Outcome.VIOLATION and one.ids[0] not in told:
            told.add(one.ids[0])
            yield Uncovered(_subject(one), verdict.reason, one.records, one.ids[0])


def _subject(seen: Seen) -> str:
    subject = seen.subject
    what: str = getattr(subject, "path", "") or getattr(subject, "name", "") or f"{getattr(subject, 'address', '')}"
    return f"{subject.verb} {what}".encode("utf-8", "backslashreplace").decode()


def _partial(behaviour: Behaviour) -> Iterator[str]:
    for (place, what), count in sorted(behaviour.lost.items()):
        yield f"{count if count >= 0 else 'unknown number of'} {printable(what)} events: {printable(place)}"


def _text(
    workload: Workload, images: Sequence[str], rules: Sequence[Rule], facts: Facts, uncovered: Sequence[Uncovered]
) -> tuple[str, dict[int, int]]:
    """The document; and which rule (by its number) stands in which line."""
    lines = [*_comments(workload, facts, uncovered), *_head(workload, images)]
    places: dict[int, int] = {}
    for verb in DRAFTED:
        mine = [(number, rule) for number, rule in enumerate(rules) if rule.verb == verb]
        lines.append(f"  {verb}:" if mine else f"  {verb}: {{allow: []}} # nothing was seen")
        if mine:
            lines.append("    allow:")
        notes: tuple[str, ...] = ()
        for number, rule in mine:
            if rule.notes != notes:
                notes = rule.notes
                lines += [f"      # {note}" for note in notes]
            lines.append(f"      - {_item(rule)}" + (f" # {rule.remark}" if rule.remark else ""))
            places[len(lines)] = number
    return "\n".join(lines) + "\n", places


def _head(workload: Workload, images: Sequence[str]) -> list[str]:
    name = _NAME.sub("-", workload.name).strip("-.")[:253] or "workload"
    metadata = f"name: {_scalar(name)}" + (f", namespace: {_scalar(workload.namespace)}" if workload.namespace else "")
    select = [f"    containers: {{names: [{_scalar(literal(workload.name))}]}}"]
    if images:
        select.append(f"    images: [{', '.join(map(_scalar, images))}]")
    return [f"apiVersion: {API}", "kind: Policy", f"metadata: {{{metadata}}}", "spec:", "  select:", *select, "  mode: learn"]


def _item(rule: Rule) -> str:
    """One entry, as short as it can be."""
    if rule.verb == "egress":
        ports = f", ports: [{', '.join(rule.ports)}]" if rule.ports else ""
        return f"{{to: {_scalar(rule.what)}{ports}}}" if ports else _scalar(rule.what)
    if rule.verb == "listen":
        address, ports = _scalar(rule.what), f", ports: [{', '.join(rule.ports)}]" if rule.ports else ""
        return f"{{address: {address}{ports}}}" if rule.ports or "/" not in rule.what else address
    return f"{{path: {_scalar(rule.what)}, from: [{', '.join(rule.layers)}]}}" if rule.layers else _scalar(rule.what)


def _scalar(text: str) -> str:
    """Plain where YAML takes it for a text; else in quotes, with what is not printable as escapes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isascii() and char.isprintable():
        return char
    return printable(char) if printable(char) != char else f"\\U{ord(char):08x}"


def _comments(workload: Workload, facts: Facts, uncovered: Sequence[Uncovered]) -> Iterator[str]:
    """What a reader has to know first."""
    yield f"# A first policy for {printable(workload.name)}, from what was recorded of it. Mode learn tells nobody: read it,"
    yield "# let it learn a whole day of work, try it (vedette replay LOG --policy), then change the mode to alert."
    yield f"# Watched for {_duration(facts.watched_s)}: {facts.began[:19]} to {facts.ended[:19]} UTC"
    yield f"# {facts.records} records of {facts.containers} container{'' if facts.containers == 1 else 's'}"
    if facts.partial:
        yield "# partial: not everything of that time was recorded one by one:"
        yield from _listed(facts.partial)
    if facts.not_used:
        yield "# not used:"
        yield from _listed([f"{count} {what}" for what, count in facts.not_used.items()])
    if uncovered:
        yield "# not allowed by this policy, though it was seen: no rule can name it, or there are too many:"
        yield from _listed([f"{one.reason}, {printable(one.example)}: {printable(one.what)}" for one in uncovered])


def _listed(texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:SHOWN]:
        yield f"#   {text}" if len(text) <= WIDEST else f"#   {text[:WIDEST]}…"
    if len(texts) > SHOWN:
        yield f"#   … and {len(texts) - SHOWN} more"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} seconds"
