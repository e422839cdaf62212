"""Why a verdict is what it is: every rule that was tried, in words. Slow and simple: it does not use the judge's tables."""

from collections.abc import Iterator
from ipaddress import ip_address

from msgspec import Struct

from model.document import LAYERS
from model.event import Access, Change, Direction, Event, Exec, File, Layer, Load, Net, Open, Session, Unix
from model.judge import Compiled, judge
from model.match import Entry, by_layer, by_path, canonical, number, socket_file
from model.origin import Origin
from model.policy import PathRule, PeerRule, UnixRule
from model.text import printable
from model.verdict import Verdict

_WORDS = {layer: word for word, layer in LAYERS.items()} | {Layer.HOST: "host"}


class Tried(Struct, frozen=True):
    """One rule held against one subject of the event."""

    verb: str
    subject: str  # the path, address or socket; safe on a screen
    which: str  # allow or deny
    text: str  # the rule as written
    rule: str  # its id
    source: str  # file:line:col
    matched: bool
    why: str
    decisive: bool = False


class Explanation(Struct, frozen=True):
    """The verdict, and what led to it."""

    verdict: Verdict
    why: str
    tried: tuple[Tried, ...]


def explain(compiled: Compiled, event: Event, origin: Origin) -> Explanation:
    """Every rule tried on this event; the decisive one is marked. None is where no list allows it, or no verb applies."""
    verdict = judge(compiled, event, origin)
    actor = getattr(event, "actor", None)
    if actor is not None and actor.session is Session.RUNTIME:
        return Explanation(verdict, "the runtime's own step before the handover is not judged", ())
    tried = tuple(_try_all(compiled, event, verdict.rule))
    return Explanation(verdict, _why(verdict, tried), tried)


def _why(verdict: Verdict, tried: tuple[Tried, ...]) -> str:
    for one in tried:
        if one.decisive:
            return f"{verdict.reason}: {one.which} {one.text} ({one.source})"
    if not verdict.verb:
        return "no verb applies to this event"
    if verdict.rule:
        return f"{verdict.reason}: no allow list has it; the nearest list is at {verdict.source}"
    return "no policy mentions it" if verdict.reason == "not_mentioned" else "nothing denies it, and no list says what is allowed"


def _try_all(compiled: Compiled, event: Event, decisive: str) -> Iterator[Tried]:
    for verb, subject in subjects(event):
        compiled_verb = compiled.verbs[verb]
        for which, entries in (("deny", compiled_verb.denies), ("allow", compiled_verb.allows)):
            for entry in entries:
                matched, why = _try(entry, subject, which == "allow")
                rule = entry.verdict.rule
                yield Tried(
                    verb, printable(_shown(subject)), which, entry.rule.text, rule, entry.rule.source, matched, why,
                    matched and rule == decisive,
                )  # fmt: skip


Subject = File | Net | Unix


def subjects(event: Event) -> Iterator[tuple[str, Subject]]:
    """The verbs that an event touches, and what each is judged on."""
    if isinstance(event, Exec):
        yield from (("exec", file) for file in (event.file, event.script) if file is not None)
    elif isinstance(event, Load):
        yield "load", event.file
    elif isinstance(event, Open):
        if event.access & ~Access.READ:
            yield "write", event.file
        if event.access & Access.READ or not event.access:
            yield "read", event.file
    elif isinstance(event, Change):
        yield from (("write", file) for file in (event.file, event.target) if file is not None)
    elif isinstance(event, Unix):
        yield "egress", event
    elif isinstance(event, Net) and event.direction is not Direction.INGRESS:
        yield ("egress" if event.direction is Direction.EGRESS else "listen"), event


def _shown(subject: Subject) -> str:
    if isinstance(subject, File):
        return f"{subject.path} ({_WORDS[subject.layer]})"
    if isinstance(subject, Unix):
        return f"unix:{subject.file.path}" if subject.file else f"unix:@{subject.abstract}"
    return f"{subject.address} {subject.port}/{subject.protocol.name.lower()}"


def _try(entry: Entry, subject: Subject, allow: bool) -> tuple[bool, str]:  # noqa: FBT001 - private
    rule = entry.rule
    if isinstance(subject, Net):
        return _try_peer(rule, subject) if isinstance(rule, PeerRule) else (False, "it is about a unix socket")
    if isinstance(rule, PeerRule):
        return False, "it is about an address"
    if isinstance(subject, Unix):
        return _try_socket(entry, rule, subject, allow)
    return _try_file(entry, rule, subject, allow)


def _try_socket(entry: Entry, rule: PathRule | UnixRule, event: Unix, allow: bool) -> tuple[bool, str]:  # noqa: FBT001 - private
    abstract = isinstance(rule, UnixRule) and rule.abstract
    file = socket_file(event)
    if file is not None:
        return (False, "it is about an abstract name") if abstract else _try_file(entry, rule, file, allow)
    if not abstract or rule.glob is None:
        return False, "it is about a socket's file"
    matched = rule.glob.matches("/" + canonical(event.abstract, 0))
    return matched, "the name matches" if matched else "the name is another"


def _try_file(entry: Entry, rule: PathRule | UnixRule, file: File, allow: bool) -> tuple[bool, str]:  # noqa: FBT001 - private
    bit, flags = 1 << file.layer.number, int(file.flags)
    path = canonical(file.path, bit)
    if rule.glob is not None and not rule.glob.matches(path):
        return False, "the path is another"
    if not entry.layers & bit:
        return False, f"the file is from {_WORDS[file.layer]}; the rule is for {_layers(entry.layers)}"
    if allow and not (by_layer(flags) if rule.glob is None else by_path(flags)):
        return False, f"the file's name is not sure ({file.flags.name}): it is never allowed by path"
    return True, "from the image" if rule.glob is None else "the path matches"


def _layers(mask: int) -> str:
    return ", ".join(word for layer, word in _WORDS.items() if mask >> layer.number & 1)


def _try_peer(rule: PeerRule, event: Net) -> tuple[bool, str]:
    if rule.network is not None and not _contains(rule, event.address):
        return False, "the address is another"
    ports = [one for one in rule.ports if one.protocol == event.protocol and one.low <= event.port <= one.high]
    if rule.ports and not ports:
        return False, "the port or protocol is another"
    return True, "address and port match"


def _contains(rule: PeerRule, address: str) -> bool:
    try:
        six, bits = number(address)
    except ValueError:
        return False
    found = ip_address(bits.to_bytes(16 if six else 4, "big"))
    return rule.network is not None and found.version == rule.network.version and found in rule.network
