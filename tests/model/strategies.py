"""Policies and events that meet: few names, networks and ports, so that rules match often."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st
from msgspec.structs import replace

from model.event import (
    Access,
    Actor,
    Change,
    Direction,
    Exec,
    File,
    Flag,
    Layer,
    Load,
    Net,
    Open,
    Operation,
    Protocol,
    Session,
    Unix,
)
from model.policy import Policy, parse
from tests.model.builders import HEAD

VERBS = ("exec", "load", "read", "write", "egress", "ingress", "listen")
STARTED_NS = 500_000_000_000  # when the container of the events started, on their clock
OFFSET_NS = 1_801_440_000_000_000_000 - 580 * 10**9  # of the same clock: 2027-01-31 ends at 580 s
SUBJECTS = Exec | Load | Open | Change | Net | Unix

names = st.sampled_from(["a", "b", "ab", "a", "b", "etc", "x\\xff", "x\\\\y"])
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
patterns = st.lists(st.sampled_from(["a", "b", "ab", "a*", "*b", "?", "[ab]", "**", "etc"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
proc_patterns = st.sampled_from(["/proc/**", "/proc/self/a", "/proc/*/a", "/*/7?/**", "/**/77", "/**/7*/a", "/?*/[5-8]*/a/*"])
layers = st.sampled_from([*Layer, Layer.IMAGE, Layer.IMAGE, Layer.IMAGE, Layer.WRITABLE, Layer.WRITABLE, Layer.VOLUME])
layer_words = st.lists(
    st.sampled_from(["image", "writable", "volume", "tmpfs", "memfd", "root", "new_mount", "proc_self"]), min_size=1
)
KNOWN = ["0.0.0.0", "::", "::1", "127.0.0.1", "127.3.0.1", "10.0.0.1", "10.0.1.1", "2001:db8::1", "::ffff:10.0.0.1"]  # noqa: S104
addresses = st.one_of(
    *[st.sampled_from(KNOWN)] * 4,
    st.integers(0, 2**32 - 1).map(lambda bits: str(IPv4Address(bits))),
    st.integers(0, 2**128 - 1).map(lambda bits: str(IPv6Address(bits))),
)
networks = st.sampled_from(
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.0.0.0/24",
        "10.0.0.1",
        "127.0.0.0/8",
        "127.0.0.1",
        "::/0",
        "::1",
        "2001:db8::/32",
        "2001:db8::1",
    ]
)
numbers = st.sampled_from([0, 53, 80, 81, 443, 65535])
ports = st.sampled_from(["0/tcp", "53/udp", "80/tcp", "80-443/tcp", "0-65535/udp", "443/sctp"])

sessions_said = st.lists(st.sampled_from(["main", "exec", "standing", "probe"]), min_size=1, max_size=2)
arguments = st.lists(st.sampled_from(["a", "b", "a*", "?", "*"]), max_size=2)
host_names = st.sampled_from(["example.com", "*.example.com", "a.example.com", "*.a.example.com", "other.org"])
kubernetes = st.sampled_from(["{service: shop/api}", "{namespace: edge}"])


def mapping(fields: Mapping[str, object]) -> str:
    """A flow mapping of what is not None."""
    return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items() if value is not None) + "}"


def listed(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


startups = st.sampled_from(["30s", "1m"])
rarely = st.sampled_from([False, False, False, True])


@st.composite
def conditions(draw: st.DrawFn, verb: str, which: str) -> dict[str, object]:
    """What may stand beside the path or peer of an entry."""
    found: dict[str, object] = {}
    if draw(rarely):
        found["session"] = listed(draw(sessions_said))
    if which == "allow" and draw(rarely):
        found["startup"] = draw(startups)
    if verb == "exec" and draw(rarely):
        words = draw(arguments)
        prefix = bool(words) and draw(st.booleans())
        found["args"] = f"{{prefix: {listed(words)}}}" if prefix else listed(words)
    if verb == "exec" and draw(rarely):
        found["as"] = listed(draw(st.lists(st.sampled_from(["a", "b", "sh"]), min_size=1, max_size=2)))
    return found


@st.composite
def path_rules(draw: st.DrawFn, verb: str, which: str) -> str:
    """An entry of exec, load, read or write."""
    path = draw(st.one_of(st.just("image"), *[patterns] * 3, proc_patterns))
    where = listed(draw(layer_words)) if path != "image" and draw(rarely) else None
    return mapping({"path": f'"{path}"', "from": where, **draw(conditions(verb, which))})


@st.composite
def peer_rules(draw: st.DrawFn, verb: str, which: str) -> str:
    """An entry of egress or ingress."""
    sockets = (patterns.map(lambda path: f'"unix:{path}"'), patterns.map(lambda path: f'"unix:@{path[1:]}"'))
    more = (*sockets, host_names.map(lambda name: f'"{name}"')) if verb == "egress" else ()
    peer = draw(st.one_of(networks.map(lambda network: f'"{network}"'), kubernetes, *more))
    numbered = listed(draw(st.lists(ports, min_size=1, max_size=3))) if draw(st.booleans()) and "unix" not in peer else None
    return mapping({"to" if verb == "egress" else "from": peer, "ports": numbered, **draw(conditions(verb, which))})


@st.composite
def listen_rules(draw: st.DrawFn, which: str) -> str:
    """An entry of listen."""
    address = draw(st.none() | networks)
    numbered = listed([draw(ports)]) if address is None or draw(st.booleans()) else None
    said = {"address": f'"{address}"' if address else None, "ports": numbered}
    return mapping({**said, **draw(conditions("listen", which))})


def rules(verb: str, which: str) -> st.SearchStrategy[str]:
    """An entry of one of the two lists of a verb."""
    if verb in VERBS[:4]:
        return path_rules(verb, which)
    return listen_rules(which) if verb == "listen" else peer_rules(verb, which)


def text_of(
    name: str,
    mode: str,
    verbs: Mapping[str, tuple[Sequence[str] | None, Sequence[str] | None]],
    more: Sequence[str] = (),
    tier: str = "",
) -> str:
    """A document. Per verb its allow and deny lists; None leaves one out. `more` are further lines of spec."""
    head = HEAD.replace("kind: Policy", "kind: ClusterPolicy") if tier else HEAD
    lines = [f'{head}metadata: {{name: {name}}}\nspec:\n  select: {{containers: {{names: ["*"]}}}}\n  mode: {mode}']
    lines += [f"  {line}" for line in (*more, *([f"tier: {tier}"] if tier else []))]
    for verb, (allow, deny) in verbs.items():
        lists = [f"{which}: [{', '.join(rules)}]" for which, rules in (("allow", allow), ("deny", deny)) if rules is not None]
        lines.append(f"  {verb}: {{{', '.join(lists or ['deny: []'])}}}")
    return "\n".join(lines) + "\n"


def lists(verb: str) -> st.SearchStrategy[tuple[list[str] | None, list[str] | None]]:
    """An allow and a deny list of a verb; None: there is none."""
    allow, deny = (st.lists(rules(verb, which), min_size=1, max_size=4) for which in ("allow", "deny"))
    return st.tuples(st.one_of(st.none(), st.just([]), allow, allow), st.one_of(st.none(), deny))


@st.composite
def policies(draw: st.DrawFn, verbs: Sequence[str], name: str = "p", *, plain: bool = False) -> Policy:
    """Any policy that speaks of these verbs, or of most of them. `plain`: alerting, of no tier, without exceptions."""
    said = {verb: draw(lists(verb)) for verb in verbs if len(verbs) == 1 or draw(st.integers(0, 4))}
    if plain:
        return parse(text_of(name, "alert", said), f"{name}.yaml")[0]
    mode = draw(st.sampled_from(["learn", "alert", "enforce"]))
    tier = draw(st.sampled_from(["", "", "", "guardrail", "baseline"]))
    more = [line for line in ("include: [metadata, secrets]", "severity: low") if draw(rarely)]
    (made,) = parse(text_of(name, mode, said, more, tier), f"{name}.yaml")
    if not made.targets() or not draw(rarely):
        return made
    excepted = draw(st.lists(st.sampled_from(made.targets()), min_size=1, max_size=2))
    days = [draw(st.sampled_from(["2027-01-30", "2027-01-31", "2027-02-28"])) for _ in excepted]
    told = [f"{{rule: {rule}, until: {day}, owner: a, why: b}}" for rule, day in zip(excepted, days, strict=True)]
    return parse(text_of(name, mode, said, [*more, f"exceptions: [{', '.join(told)}]"], tier), f"{name}.yaml")[0]


flags = st.sampled_from([Flag(0)] * 6 + list(Flag))
proc_files = st.builds(
    File, st.sampled_from(["/proc/77/a", "/proc/77/a/5", "/proc/77", "/proc/a"]),
    st.sampled_from([Layer.PROC_SELF, Layer.PROC_OTHER]), flags, *(st.integers(0, 3) for _ in range(5)),
)  # fmt: skip
files = st.builds(File, paths, layers, flags, *(st.integers(0, 3) for _ in range(5))) | proc_files
sessions = st.sampled_from([*Session, Session.MAIN, Session.MAIN, Session.EXEC, Session.EXEC])
actors = st.builds(
    Actor, st.just(7), *(st.integers(1, 5) for _ in range(6)), sessions, st.integers(0, 3), st.integers(0, 1), st.booleans(),
    st.text(max_size=4),
)  # fmt: skip
times = st.integers(0, 2**40) | st.integers(0, 100).map(lambda second: STARTED_NS + second * 10**9)
keys = st.binary(max_size=4)
texts = st.lists(st.sampled_from(["a", "b", "/bin/a", "sh", "/a", "ab", "", "x\\xff"]), max_size=4).map(tuple)
lookups = st.sampled_from(["", "", "example.com", "a.example.com", "b.a.Example.com.", "other.org", "com", "x.y"])
small = st.integers(0, 3)

execs = st.builds(
    Exec, times, actors, files, st.none() | files, texts, st.sampled_from([0, 9, 4096, 4097]), paths, st.text(max_size=3),
    small, small, small, small, small, st.booleans(), small, st.just(()), st.booleans(), st.booleans(),
)  # fmt: skip
loads = st.builds(Load, times, actors, files, keys, st.booleans())
opens = st.builds(Open, times, actors, files, st.integers(1, 31).map(Access), keys, st.booleans())
operations = st.sampled_from(list(Operation))
NAMING = (Operation.RENAME, Operation.LINK)  # they alone have a second name
changes = st.builds(Change, times, actors, operations, files, st.none() | files, small, small, keys).map(
    lambda event: event if event.operation in NAMING else replace(event, target=None)
)
nets = st.builds(
    Net, times, actors, st.sampled_from(list(Direction)), st.sampled_from(list(Protocol)), addresses, numbers, numbers, small,
    keys, lookups, st.booleans(),
)  # fmt: skip
sockets = st.one_of(
    st.builds(Unix, times, actors, files, st.just(""), small, keys),
    st.builds(Unix, times, actors, st.none(), paths.map(lambda path: path[1:]), small, keys),
)
KINDS: dict[tuple[str, ...], st.SearchStrategy[SUBJECTS]] = {
    ("exec",): execs,
    ("load",): loads,
    ("read", "write"): opens,
    ("write",): changes,
    ("egress",): nets | sockets,
    ("ingress",): nets,
    ("listen",): nets,
}


@st.composite
def meetings(draw: st.DrawFn, *, plain: bool = False) -> tuple[Policy, Policy, SUBJECTS]:
    """Two policies, and an event that they speak of."""
    verbs = draw(st.sampled_from(list(KINDS)))
    return draw(policies(verbs, "p", plain=plain)), draw(policies(verbs, "q", plain=plain)), draw(KINDS[verbs])
