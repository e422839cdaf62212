"""Why a verdict is what it is: every rule that was tried, in words. Slow and simple: it does not use the judge's tables."""

from collections.abc import Iterator
from ipaddress import ip_address

from msgspec import Struct

from model.event import Access, Change, Direction, Event, Exec, File, Layer, Load, Net, Open, Session, Unix
from model.fields import LAYERS, plain_name
from model.judge import SECOND_NS, Compiled, judge
from model.match import Entry, by_layer, by_path, canonical, number, own, socket_file
from model.origin import Origin
from model.policy import KubernetesRule, NameRule, PathRule, PeerRule, Ports, Rule, UnixRule
from model.program import Called, called, called_script
from model.rule import When
from model.text import printable
from model.verdict import Outcome, Verdict

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
    tried = tuple(_try_all(compiled, event, origin, verdict.rule))
    return Explanation(verdict, _why(verdict, tried), tried)


def _why(verdict: Verdict, tried: tuple[Tried, ...]) -> str:
    excepted = f"; excepted by {verdict.exception}" if verdict.outcome is Outcome.EXCEPTED else ""
    for one in tried:
        if one.decisive:
            return f"{verdict.reason}: {one.which} {one.text} ({one.source}){excepted}"
    if not verdict.verb:
        return "no verb applies to this event"
    if verdict.rule:
        return f"{verdict.reason}: no allow list has it; the nearest list is at {verdict.source}{excepted}"
    return "no policy mentions it" if verdict.reason == "not_mentioned" else "nothing denies it, and no list says what is allowed"


def _try_all(compiled: Compiled, event: Event, origin: Origin, decisive: str) -> Iterator[Tried]:
    for verb, subject, program in subjects(event):
        compiled_verb = compiled.verbs[verb]
        for which, entries in (("deny", compiled_verb.denies), ("allow", compiled_verb.allows)):
            for entry in entries:
                matched, why = _try(entry, subject, which == "allow")
                if matched:
                    matched, why = _try_conditions(entry.rule.when, event, origin, program) or (True, why)
                rule = entry.verdict.rule
                yield Tried(
                    verb, printable(_shown(subject)), which, entry.rule.text, rule, entry.rule.source, matched, why,
                    matched and rule == decisive,
                )  # fmt: skip


Subject = File | Net | Unix


def subjects(event: Event) -> Iterator[tuple[str, Subject, Called | None]]:
    """The verbs that an event touches, what each is judged on, and how the program there was called."""
    if isinstance(event, Exec):
        yield "exec", event.file, called(event)
        if event.script is not None:
            yield "exec", event.script, called_script(event)
    elif isinstance(event, Load):
        yield "load", event.file, None
    elif isinstance(event, Open):
        if event.access & ~Access.READ:
            yield "write", event.file, None
        if event.access & Access.READ or not event.access:
            yield "read", event.file, None
    elif isinstance(event, Change):
        yield from (("write", file, None) for file in (event.file, event.target) if file is not None)
    elif isinstance(event, Unix):
        yield "egress", event, None
    elif isinstance(event, Net):
        yield {Direction.EGRESS: "egress", Direction.INGRESS: "ingress"}.get(event.direction, "listen"), event, None


def _shown(subject: Subject) -> str:
    if isinstance(subject, File):
        return f"{subject.path} ({_WORDS[subject.layer]})"
    if isinstance(subject, Unix):
        return f"unix:{subject.file.path}" if subject.file else f"unix:@{subject.abstract}"
    name = f" ({subject.name})" if subject.name else ""
    return f"{subject.address}{name} {_port(subject)}/{subject.protocol.name.lower()}"


def _port(event: Net) -> int:
    return event.local_port if event.direction is Direction.INGRESS else event.port


def _try_conditions(when: When, event: Event, origin: Origin, program: Called | None) -> tuple[bool, str] | None:
    """Why a condition does not hold; None where all do."""
    session: Session | None = getattr(getattr(event, "actor", None), "session", None)
    if session is not None and not when.holds_in(session.value):
        return False, f"the process is of session {session.value}; the rule is for {', '.join(sorted(when.sessions))}"
    started_ns = origin.container.started_ns
    age_s = (event.time_ns - started_ns) // SECOND_NS if started_ns else None
    if when.startup_s and age_s is None:
        return False, "when the container started is not known"
    if when.startup_s and age_s is not None and age_s >= when.startup_s:
        return False, f"the start-up was over after {when.startup_s} s"
    return _try_arguments(when, program)


def _try_arguments(when: When, program: Called | None) -> tuple[bool, str] | None:
    if not when.of_arguments:
        return None
    if program is None:
        return False, "the arguments are not known whole: no rule about them matches"
    if when.called and program.name not in when.called:
        return False, f"it was called {printable(program.name)}"
    return (False, "the arguments are others") if when.args is not None and not when.args.fit(program.args) else None


def _try(entry: Entry, subject: Subject, allow: bool) -> tuple[bool, str]:  # noqa: FBT001 - private
    rule = entry.rule
    if isinstance(rule, KubernetesRule):
        return False, rule.waits
    if isinstance(subject, Net):
        return _try_net(rule, subject)
    if isinstance(rule, PeerRule | NameRule):
        return False, "it is about an address"
    if isinstance(subject, Unix):
        return _try_socket(entry, rule, subject, allow)
    return _try_file(entry, rule, subject, allow)


def _try_net(rule: Rule, event: Net) -> tuple[bool, str]:
    if isinstance(rule, NameRule):
        return _try_name(rule, event)
    return _try_peer(rule, event) if isinstance(rule, PeerRule) else (False, "it is about a unix socket")


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
    if rule.network is not None and not _contains(rule, event):
        return False, "the address is another"
    if not _has_port(rule.ports, event):
        return False, "the port or protocol is another"
    return True, "address and port match"


def _try_name(rule: NameRule, event: Net) -> tuple[bool, str]:
    name = plain_name(event.name)
    below = rule.name.removeprefix("*.")
    matches = name == rule.name or (below != rule.name and name.endswith("." + below))
    if not name or not matches:
        return False, "the name is another" if name else "the address was not looked up by a name"
    if not _has_port(rule.ports, event):
        return False, "the port or protocol is another"
    return True, "name and port match"


def _has_port(ports: tuple[Ports, ...], event: Net) -> bool:
    port = _port(event)
    return not ports or any(one.protocol == event.protocol and one.low <= port <= one.high for one in ports)


def _contains(rule: PeerRule, event: Net) -> bool:
    is_own = event.direction in (Direction.LISTEN, Direction.BIND)
    try:
        six, bits = own(event.address) if is_own else number(event.address)
    except ValueError:
        return False
    found = ip_address(bits.to_bytes(16 if six else 4, "big"))
    return rule.network is not None and found.version == rule.network.version and found in rule.network
