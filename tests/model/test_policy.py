"""A policy file is read whole, or every mistake in it is told, with its place and what to write instead."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.event import Layer, Protocol
from model.policy import PathRule, PeerRule, Policy, UnixRule, parse
from model.problem import PolicyError, Problem
from model.verdict import Mode
from tests.model.builders import HEAD, container

WEB = """\
apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {name: web, namespace: shop}
spec:
  select: {containers: {names: [web]}, images: ["registry.example.com/shop/**"]}
  mode: {exec: alert, write: learn, egress: alert, listen: alert}
  exec:
    allow:
      - image
      - {path: /opt/run.sh, from: [volume, root]}
    deny: [/usr/bin/*sh]
  write: {deny: [/etc/**]}
  egress: {allow: [{to: 10.0.0.0/8, ports: [5432/tcp, 53/udp]}, "unix:/run/db.sock", "unix:@bus"]}
  listen: {allow: [80/tcp, {address: 127.0.0.0/8, ports: [8000-9000/tcp]}]}
"""


def problems(text: str, name: str = "p.yaml") -> tuple[Problem, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(text, name)
    return caught.value.problems


def spec(lines: str) -> str:
    return f'{HEAD}metadata: {{name: p}}\nspec:\n  select: {{containers: {{names: ["*"]}}}}\n  {lines}\n'


def test_everything_that_a_document_says_is_in_the_policy() -> None:
    (policy,) = parse(WEB, "rules/web.yaml")
    assert policy.id == "shop/web"
    assert set(policy.verbs) == {"exec", "write", "egress", "listen"}
    assert policy.verbs["write"].allow is None
    assert policy.verbs["write"].mode is Mode.LEARN
    image, script = policy.verbs["exec"].allow or ()
    assert isinstance(image, PathRule)
    assert image.glob is None
    assert isinstance(script, PathRule)
    assert script.layers == frozenset({Layer.VOLUME, Layer.ROOT})
    assert script.source == "rules/web.yaml:10:9"
    network, file, abstract = policy.verbs["egress"].allow or ()
    assert isinstance(network, PeerRule)
    assert [(one.protocol, one.low, one.high) for one in network.ports] == [(Protocol.TCP, 5432, 5432), (Protocol.UDP, 53, 53)]
    assert isinstance(file, UnixRule)
    assert isinstance(abstract, UnixRule)
    assert (file.abstract, abstract.abstract) == (False, True)


def test_a_file_may_hold_several_documents_and_empty_ones() -> None:
    second = WEB.replace("name: web", "name: other")
    assert [policy.name for policy in parse(f"---\n{WEB}---\n---\n{second}", "x.yaml")] == ["web", "other"]
    assert parse("", "x.yaml") == ()
    assert parse("# only words\n", "x.yaml") == ()


def test_two_documents_of_one_name_are_a_mistake() -> None:
    (problem,) = problems(f"{WEB}---\n{WEB}")
    assert problem.message == 'a second policy named "shop/web"'
    assert problem.line == 18


def test_a_mistake_is_told_as_the_house_tells_it() -> None:
    text = WEB.replace("to: 10.0.0.0/8", "dest: 10.0.0.0/8").replace("deny: [/etc/**]", "denny: [/etc/**]")
    first, second, third = map(str, problems(text, "rules/40-web.yaml"))
    assert first == (
        'rules/40-web.yaml:12:11: unknown field "denny" in write\n'
        "   12 |   write: {denny: [/etc/**]}\n"
        "      |           ^^^^^\n"
        'hint: did you mean "deny"?  write takes: allow, deny'
    )
    assert second.startswith('rules/40-web.yaml:13:20: a network rule needs a field "to"')
    assert third.endswith("hint: a network rule takes: to, ports, session, startup")


MISTAKES = [
    ("exec: {allow: [bin/sh]}", "a path must begin with /"),
    ("exec: {allow: [imgae]}", "neither a path nor the word image"),
    ("exec: {allow: [/a/../b]}", '".." in a path'),
    ("exec: {allow: [/a//b]}", "an empty name"),
    ("exec: {allow: [/a/]}", 'does not end with "/"'),
    ("exec: {allow: [/a**]}", "stands alone"),
    ('exec: {allow: ["/a["]}', '"[" without "]"'),
    ("exec: {allow: [{path: /a, from: [imag]}]}", 'unknown layer "imag"'),
    ("exec: {allow: [{path: /a, from: []}]}", '"from" is an empty list'),
    ("exec: {allow: [{path: image, from: [volume]}]}", "image is a layer itself"),
    ("exec: {allow: [[]]}", "expected a path, or a mapping"),
    ("exec: {allow: /a}", 'expected a list for "allow", not text'),
    ("exec: {allow: }", 'expected a list for "allow", not nothing'),
    ("exec:", 'expected a mapping for "exec", not nothing'),
    ("exec: {}", "needs allow or deny"),
    ("exec: {allow: [], allow: []}", 'duplicate field "allow"'),
    ("exce: {allow: []}", 'unknown field "exce" in spec'),
    ("read: {deny: [/proc/1/environ]}", "process ids are not told apart"),
    ("read: {deny: ['/proc/1*/environ']}", "process ids are not told apart"),
    ("mode: enforced", 'unknown mode "enforced"'),
    ("mode: lern", 'unknown mode "lern"'),
    ("mode: {exce: alert}", 'unknown verb "exce" in mode'),
    ("mode: {exec: alert}\n  load: {allow: []}", "mode does not say what holds for load"),
    ("egress: {allow: ['a*.example.com']}", "a name's wildcard is a first part of its own"),
    ("egress: {allow: [exa mple.com]}", "is no address"),
    ("egress: {allow: ['*']}", "a name's wildcard is a first part of its own"),
    ("egress: {allow: ['10.0.0.1:80']}", "is no address"),
    ("egress: {allow: [10.0.0.1/8]}", "has bits behind its prefix"),
    ("egress: {allow: ['::ffff:10.0.0.1']}", "IPv4 addresses are written as IPv4"),
    ("egress: {allow: [10.0.0.0/33]}", "is no address"),
    ("egress: {allow: ['unix:run/x']}", "a path must begin with /"),
    ("egress: {allow: [{to: 'unix:/x', ports: [1/tcp]}]}", "a unix socket has no ports"),
    ("egress: {allow: [{to: 10.0.0.1, ports: []}]}", '"ports" is an empty list'),
    ("listen: {allow: [80]}", '"80" has no protocol'),
    ("listen: {allow: [80/tpc]}", 'unknown protocol "tpc"'),
    ("listen: {allow: [65536/tcp]}", "is no port"),
    ("listen: {allow: [-1/tcp]}", "is no port"),
    ("listen: {allow: [9-8/tcp]}", "runs backwards"),
    ("listen: {allow: [{}]}", "needs address or ports"),
    ("exec: {allow: [!!python/name:os.system '']}", "policies use no tags"),
    ("exec: {allow: [*nowhere]}", "no value before this is named"),
    ("exec: {allow: [/a", "not YAML"),
    ("exec: {? [a] : b}", "a field's name must be a word"),
]


@pytest.mark.parametrize(("lines", "message"), MISTAKES)
def test_a_mistake_is_found_and_its_place_is_told(lines: str, message: str) -> None:
    found = problems(spec(lines))
    assert [problem for problem in found if message in problem.message], [str(problem) for problem in found]
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


@pytest.mark.parametrize("select", ["{}", "{containers: {}}", "{containers: {names: []}}", "{images: []}", "{containers: }"])
def test_an_empty_selector_is_a_mistake(select: str) -> None:
    assert problems(spec("").replace('{containers: {names: ["*"]}}', select))


def test_all_mistakes_of_all_documents_are_told_at_once_in_order() -> None:
    bad = spec("exec: {allow: [a, /b/]}\n  listen: {allow: [80]}")
    lines = [problem.line for problem in problems(f"{bad}---\n{bad.replace('name: p', 'nme: p')}")]
    assert lines == [6, 6, 7, 11, 11, 14, 14, 15]


def test_words_that_yaml_takes_for_other_things_stay_words() -> None:
    text = spec("exec: {allow: [/no]}").replace('["*"]', "[no, 010, 1:30, 2026-01-01, 1e3]")
    (policy,) = parse(text, "p.yaml")
    assert policy.selector.names == ("no", "010", "1:30", "2026-01-01", "1e3")


def test_rule_digests_do_not_depend_on_order_or_place() -> None:
    def digests(text: str) -> set[str]:
        return {rule.digest for rules in parse(text, "p")[0].verbs.values() for rule in (*(rules.allow or ()), *rules.deny)}

    one = spec(
        "exec: {allow: [/a, {path: /b, from: [root, volume]}]}\n  egress: {allow: [{to: 10.0.0.1, ports: [1/tcp, 2/udp]}]}"
    )
    two = spec(
        "egress: {allow: [{to: 10.0.0.1/32, ports: [2/udp, 1/tcp]}]}\n  exec: {allow: [{path: /b, from: [volume, root]}, /a]}"
    )
    assert digests(one) == digests(two)


SELECTS = [
    ("{containers: {names: [web]}}", True),
    ("{containers: {names: [w*]}}", True),
    ("{containers: {names: [other]}}", False),
    ("{containers: {names: [other, web]}}", True),
    ("{images: [registry.example.com/shop/web]}", True),
    ("{images: ['registry.example.com/shop/web:1.2']}", True),
    ("{images: ['registry.example.com/shop/web:1.3']}", False),
    ("{images: ['registry.example.com/**']}", True),
    ("{images: ['registry.example.com/*']}", False),
    ("{images: ['*']}", True),
    ("{images: [web]}", False),
    ("{containers: {names: [web]}, images: [nginx]}", False),
]


@pytest.mark.parametrize(("select", "selected"), SELECTS)
def test_selectors(select: str, selected: bool) -> None:
    (policy,) = parse(spec("").replace('{containers: {names: ["*"]}}', select), "p.yaml")
    assert policy.selects(container()) is selected


@pytest.mark.parametrize("image", ["nginx", "nginx:1.27", "docker.io/library/nginx", "nginx@sha256:aa", "library/nginx:1"])
def test_an_image_is_known_by_its_short_name(image: str) -> None:
    (policy,) = parse(spec("").replace('{containers: {names: ["*"]}}', "{images: [nginx]}"), "p.yaml")
    assert policy.selects(container(image=image))
    assert not policy.selects(container(image="evil.example.com/nginx"))


def test_a_policy_with_a_namespace_is_for_pods_of_that_namespace() -> None:
    (policy,) = parse(spec("").replace("{name: p}", "{name: p, namespace: shop}"), "p.yaml")
    assert policy.selects(container(namespace="shop"))
    assert not policy.selects(container(namespace="other"))


BOMBS = {
    "aliases": "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a]\n" for n in range(20)),
    "billion laughs": "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 2 if n else ['x'] * 5000)}]\n" for n in range(9)),
    "itself": "a: &a [*a]\n",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 100_000,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(1000)),
    "many values": "[" + "a," * 400_000 + "]",
    "many fields": "".join(f"a{n}: b\n" for n in range(100_000)),
    "many keys": "? " * 300_000,
    "large": "#" * (1 << 20) + "#",
    "long line": spec("exec: {allow: [" + "x" * 1_000_000 + "]}"),
    "many mistakes": spec("exec: {allow: [" + "imgae," * 9_900 + "]}"),
    "many unknown fields": "".join(f"{'x' * 60}{n}: b\n" for n in range(4_900)),
    "many globs": spec("read: {deny: [" + "".join(f"/**/*a*{n}*," for n in range(9_900)) + "]}"),
    "quotes": '"' * 1_000_000,
    "spaces": " " * 1_000_000 + ":",
    "tabs": "\t" * 1_000_000,
    "surrogate": "a: \ud800",
    "control": "a: \x01",
    "nul": "a: \0",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_less_than_a_second(name: str) -> None:
    began = time.perf_counter()
    told = parses_or_explains(BOMBS[name])
    assert len(told) < 200_000
    assert time.perf_counter() - began < 1


def test_a_few_aliases_are_allowed() -> None:
    text = spec("exec: {allow: &all [image]}\n  load: {allow: *all}")
    assert set(parse(text, "p.yaml")[0].verbs) == {"exec", "load"}


def test_what_is_quoted_cannot_move_the_cursor() -> None:
    (problem,) = problems(spec('exec: {allow: ["\x85", "\u202e", "a\u202eb"]}').replace("\x85", "/x"), "\x1b[2J.yaml")[-1:]
    assert "\u202e" not in str(problem)
    assert "\x1b" not in str(problem)


def parses_or_explains(text: str) -> str:
    """What it says of the text; nothing where that is a policy."""
    try:
        policies = parse(text, "x.yaml")
    except PolicyError as error:
        told = str(error)
    else:
        assert all(isinstance(policy, Policy) for policy in policies)
        return ""
    assert told.startswith("x.yaml:")
    return told


FRAGMENTS = st.sampled_from(
    [
        *WEB.splitlines(keepends=True), "exec:", " ", "  ", "\n", "- ", "{", "}", "[", "]", "&a", "*a", "!!", "!", "|", ">",
        '"', "'", "? ", ": ", ",", "#", "---\n", "...\n", "%YAML 1.1\n", "<<: ", "~", "null", "\t", "\r", "\u2028", "\x85",
        "\ufeff", "image", "/a/**",
    ]
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join), st.binary().map(lambda raw: raw.decode("latin-1"))))
@example("\ud800")
@example("a: &a\n")
@example("? ")
@example("- - - -")
@example("{a, a}")
@example("%TAG ! x\n---\n!a b")
def test_any_text_is_a_policy_or_a_list_of_problems(text: str) -> None:
    parses_or_explains(text)


@settings(max_examples=200)
@given(st.data())
def test_a_policy_with_any_part_changed_is_a_policy_or_a_list_of_problems(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(WEB)))
    end = data.draw(st.integers(start, min(len(WEB), start + 30)))
    parses_or_explains(WEB[:start] + data.draw(st.one_of(st.text(max_size=8), FRAGMENTS)) + WEB[end:])
