"""Policies and events that meet: few names, networks and ports, so that rules match often."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

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

VERBS = ("exec", "load", "read", "write", "egress", "listen")
SUBJECTS = Exec | Load | Open | Change | Net | Unix

names = st.sampled_from(["a", "b", "ab", "a", "b", "etc", "x\\xff", "x\\\\y"])
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
patterns = st.lists(st.sampled_from(["a", "b", "ab", "a*", "*b", "?", "[ab]", "**", "etc"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
proc_patterns = st.sampled_from(["/proc/**", "/proc/self/a", "/proc/*/a", "/*/7?/**", "/**/77", "/**/7*/a", "/?*/[5-8]*/a/*"])
layers = st.sampled_from([*Layer, Layer.IMAGE, Layer.IMAGE, Layer.IMAGE, Layer.WRITABLE, Layer.WRITABLE, Layer.VOLUME])
words = st.lists(st.sampled_from(["image", "writable", "volume", "tmpfs", "memfd", "root", "new_mount", "proc_self"]), min_size=1)
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

path_rules = st.one_of(
    st.just("image"),
    *[patterns.map(lambda path: f'"{path}"')] * 3,
    proc_patterns.map(lambda path: f'"{path}"'),
    st.builds(lambda path, where: f'{{path: "{path}", from: [{", ".join(where)}]}}', patterns, words),
)
egress_rules = st.one_of(
    networks.map(lambda network: f'"{network}"'),
    st.builds(
        lambda to, listed: f'{{to: "{to}", ports: [{", ".join(listed)}]}}', networks, st.lists(ports, min_size=1, max_size=3)
    ),
    patterns.map(lambda path: f'"unix:{path}"'),
    patterns.map(lambda path: f'"unix:@{path[1:]}"'),
)
listen_rules = st.one_of(
    ports.map(lambda one: f'"{one}"'),
    st.builds(lambda address, one: f'{{address: "{address}", ports: [{one}]}}', networks, ports),
    networks.map(lambda address: f'{{address: "{address}"}}'),
)
RULES = {**dict.fromkeys(VERBS[:4], path_rules), "egress": egress_rules, "listen": listen_rules}


def text_of(name: str, mode: str, verbs: Mapping[str, tuple[Sequence[str] | None, Sequence[str] | None]]) -> str:
    """A document. Per verb its allow and deny lists; None leaves one out."""
    lines = [f'{HEAD}metadata: {{name: {name}}}\nspec:\n  select: {{containers: {{names: ["*"]}}}}\n  mode: {mode}']
    for verb, (allow, deny) in verbs.items():
        lists = [f"{which}: [{', '.join(rules)}]" for which, rules in (("allow", allow), ("deny", deny)) if rules is not None]
        lines.append(f"  {verb}: {{{', '.join(lists or ['deny: []'])}}}")
    return "\n".join(lines) + "\n"


def lists(verb: str) -> st.SearchStrategy[tuple[list[str] | None, list[str] | None]]:
    """An allow and a deny list of a verb; None: there is none."""
    listed = st.lists(RULES[verb], min_size=1, max_size=4)
    return st.tuples(st.one_of(st.none(), st.just([]), listed, listed), st.one_of(st.none(), listed))


@st.composite
def policies(draw: st.DrawFn, verbs: Sequence[str], name: str = "p") -> Policy:
    """Any policy that speaks of these verbs, or of most of them."""
    said = {verb: draw(lists(verb)) for verb in verbs if len(verbs) == 1 or draw(st.integers(0, 4))}
    return parse(text_of(name, draw(st.sampled_from(["learn", "alert"])), said), f"{name}.yaml")[0]


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
times = st.integers(0, 2**40)
keys = st.binary(max_size=4)
texts = st.tuples(st.text(max_size=3))
small = st.integers(0, 3)

execs = st.builds(
    Exec, times, actors, files, st.none() | files, texts, small, paths, st.text(max_size=3), small, small, small, small, small,
    st.booleans(), small, texts, st.booleans(), st.booleans(),
)  # fmt: skip
loads = st.builds(Load, times, actors, files, keys, st.booleans())
opens = st.builds(Open, times, actors, files, st.integers(1, 31).map(Access), keys, st.booleans())
operations = st.sampled_from(list(Operation))
changes = st.builds(Change, times, actors, operations, files, st.none() | files, small, small, keys)
nets = st.builds(
    Net, times, actors, st.sampled_from(list(Direction)), st.sampled_from(list(Protocol)), addresses, numbers, numbers, small,
    keys, st.text(max_size=3), st.booleans(),
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
    ("listen",): nets,
}


@st.composite
def meetings(draw: st.DrawFn) -> tuple[Policy, Policy, SUBJECTS]:
    """Two policies, and an event that they speak of."""
    verbs = draw(st.sampled_from(list(KINDS)))
    return draw(policies(verbs, "p")), draw(policies(verbs, "q")), draw(KINDS[verbs])
