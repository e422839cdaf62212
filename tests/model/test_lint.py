"""Warnings about policies that are valid and yet not what was meant."""

import time

import pytest

from model.lint import lint
from model.policy import parse
from model.problem import Code, Problem
from tests.model.builders import HEAD


def document(lines: str, name: str = "p", select: str = '{containers: {names: ["*"]}}') -> str:
    return f"{HEAD}metadata: {{name: {name}}}\nspec:\n  select: {select}\n  {lines}\n"


def found(*texts: str) -> list[Problem]:
    """What is warned of in these files: p0.yaml, p1.yaml …"""
    files = {f"p{number}.yaml": text for number, text in enumerate(texts)}
    return lint([policy for name, text in files.items() for policy in parse(text, name)], files)


def warnings(lines: str) -> list[str]:
    return [problem.message for problem in found(document(lines))]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("read: {allow: [/**]}", '"/**" allows every read'),
        ("egress: {allow: [0.0.0.0/0]}", '"0.0.0.0/0" allows every egress'),
        ("egress: {allow: [{to: '::/0', ports: [0-65535/tcp]}]}", '"::/0 0-65535/tcp" allows every egress'),
        ("listen: {allow: [1-65535/tcp]}", '"1-65535/tcp" allows every listen'),
        ("read: {allow: [/a, /b, /a]}", '"/a" stands here twice'),
        ("read: {allow: [/a/**, /a/b]}", '"/a/b" says nothing that "/a/**" does not'),
        ("read: {allow: [/a/b/*.c, /a/**]}", '"/a/b/*.c" says nothing that "/a/**" does not'),
        ("exec: {allow: [/bin/ls, image]}", '"/bin/ls" says nothing that "image" does not'),
        ("egress: {allow: [10.0.0.0/8, {to: 10.1.0.0/16, ports: [1/tcp]}]}", '"10.1.0.0/16 1/tcp" says nothing'),
        ("read: {allow: [/a/b], deny: [/a/**]}", '"/a/b" is never allowed: "/a/**" denies it'),
        ("egress: {allow: ['unix:/a/b'], deny: ['unix:/a/**']}", '"unix:/a/b" is never allowed: "unix:/a/**" denies it'),
        ("exec: {allow: [image], deny: [/**]}", '"image" is never allowed: "/**" denies it'),
        ("write: {deny: [{path: /a, from: [image]}]}", '"/a from image" denies nothing: a file that is written is no longer'),
        ("load: {allow: [/a.so]}", '"/a.so" allows nothing: code from the image is not reported one by one'),
        ("exec: {allow: [/proc/self/exe]}", '"/proc/self/exe" allows nothing: what lies below /proc is procfs'),
        ("exec: {deny: [{path: /x, from: [memfd]}]}", '"/x from memfd" denies nothing: anonymous memory is named /memfd:…'),
        ("read: {allow: [{path: /a, from: [new_mount]}]}", '"/a from new_mount" allows by a name that the workload chooses'),
        ("mode: alert", '"p" judges nothing'),
        ("read: {allow: [/*/**]}", '"/*/**" allows every read'),
        ("read: {allow: [/**/*]}", '"/**/*" allows every read'),
        ("write: {allow: ['/?*/**']}", '"/?*/**" allows every write'),
        ("egress: {allow: ['unix:/**']}", '"unix:/**" allows every unix socket'),
        ("egress: {allow: ['unix:@**']}", '"unix:@**" allows every abstract unix socket'),
        ("egress: {allow: [0.0.0.0/1, 128.0.0.0/1]}", '"128.0.0.0/1" allows 1 in 2 of all IPv4 addresses, on every port'),
        ("egress: {allow: [{to: '2000::/3', ports: [0-65535/tcp]}]}", '"2000::/3 0-65535/tcp" allows 1 in 8 of all IPv6'),
        ("read: {allow: [/a/b, /a/*]}", '"/a/b" says nothing that "/a/*" does not'),
        ("read: {allow: [/a/lib*.so, '/a/*.so']}", '"/a/lib*.so" says nothing that "/a/*.so" does not'),
        ("read: {allow: [/a/*/c/d, /a/**/d]}", '"/a/*/c/d" says nothing that "/a/**/d" does not'),
        ("read: {allow: [/a/b], deny: ['/a/[bc]']}", '"/a/b" is never allowed: "/a/[bc]" denies it'),
        ("read: {allow: [/a/b], deny: [/a/b]}", '"/a/b" is allowed here and denied: deny wins'),
        ("read: {deny: [/var/run/x]}", '"/var/run/x" is seldom reported: /var/run is a link in most images'),
        ("write: {allow: [/dev/stdout]}", '"/dev/stdout" is seldom reported: /dev/stdout is a link'),
        ("egress: {deny: ['unix:/var/run/x/*']}", '"unix:/var/run/x/*" is seldom reported: /var/run is a link'),
        ("listen: {allow: [80/tcp, 80/tcp]}", '"80/tcp" stands here twice'),
        ("listen: {allow: [80/tcp, 1-1024/tcp]}", '"80/tcp" says nothing that "1-1024/tcp" does not'),
        ("listen: {allow: [80-90/tcp, 85-99/tcp]}", '"85-99/tcp" has port 85-90/tcp a second time'),
        ("listen: {allow: [1-100/tcp, 5-6/tcp, 50-200/tcp]}", '"50-200/tcp" has port 50-100/tcp a second time'),
        ("listen: {allow: [{address: 127.0.0.1, ports: [70-80/tcp, 80/tcp]}]}", '"127.0.0.1 70-80/tcp, 80/tcp" has port 80'),
    ],
)  # fmt: skip
def test_it_is_warned_of(lines: str, message: str) -> None:
    assert [one for one in warnings(lines) if one.startswith(message)], warnings(lines)


@pytest.mark.parametrize(
    "lines",
    [
        "exec: {allow: [image, {path: /bin/ls, from: [volume]}]}",
        "read: {allow: [/a/**, /ab]}",
        "read: {allow: [/a/**], deny: [/a/b]}",
        "egress: {allow: [{to: 0.0.0.0/0, ports: [443/tcp]}]}",
        "egress: {allow: [{to: 10.0.0.0/8, ports: [80/tcp]}, {to: 10.1.0.0/16, ports: [443/tcp]}]}",
        "egress: {allow: ['unix:@a/b'], deny: ['unix:/a/**']}",
        "write: {allow: [/tmp/**]}",
        "exec: {deny: [{path: '/memfd:*', from: [memfd]}]}",
        "exec: {allow: []}",
        "mode: learn\n  exec: {allow: [image]}",
        "read: {allow: [/a*/**, /**/x, '/[a-z]*/**', /*/*/**]}",
        "read: {allow: [/a/*, /a/b/c, /a/b*/d]}",
        "read: {deny: [/var/run/x, /run/x]}",
        "read: {deny: [/var/run/x, /run/**]}",
        "read: {deny: [/var/runner/x]}",
        "egress: {deny: ['unix:@var/run/x']}",
        "egress: {allow: ['unix:/var/run/nscd/socket']}",
        "egress: {allow: [10.0.0.0/8, 'fd00::/16', {to: 0.0.0.0/1, ports: [443/tcp]}]}",
        "listen: {allow: [80/tcp, 80/udp, 443/tcp, {address: 127.0.0.1, ports: [85-90/tcp]}, {address: '::1', ports: [86/tcp]}]}",
    ],
)
def test_what_is_meant_as_it_is_written_has_no_warning(lines: str) -> None:
    assert warnings(lines) == []


def test_a_warning_has_its_place_and_a_hint() -> None:
    text = f"{HEAD}metadata: {{name: p}}\nspec:\n  select: {{images: [nginx]}}\n  read:\n    allow: [/**]\n"
    (warning,) = lint(parse(text, "p.yaml"), {"p.yaml": text})
    assert str(warning) == (
        'p.yaml:7:13: warning: "/**" allows every read\n'
        "    7 |     allow: [/**]\n"
        "      |             ^^^\n"
        "hint: leave read out, so that it is only recorded, or name what is needed"
    )


def test_policies_of_one_name_in_two_files_are_told() -> None:
    (warning,) = found(document("exec: {allow: []}"), document("exec: {allow: []}"))
    assert (warning.file, warning.message, warning.code) == ("p1.yaml", 'a second policy named "p"', Code.SAME_NAME)


WEB = "{containers: {names: [web]}}"
ACROSS = [
    ("read: {allow: [/a/b]}", "read: {deny: [/a/**]}", '"/a/b" is never allowed: "/a/**" of policy "q" denies it'),
    ("read: {allow: [/a]}", "read: {deny: [/a]}", '"/a" is allowed here and denied by policy "q": deny wins'),
]


@pytest.mark.parametrize(("narrow", "wide", "message"), ACROSS)
def test_a_rule_that_another_policy_of_the_same_containers_makes_void_is_told(narrow: str, wide: str, message: str) -> None:
    assert message in [one.message for one in found(document(narrow, select=WEB), document(wide, "q"))]


@pytest.mark.parametrize(("narrow", "wide", "message"), ACROSS)
def test_a_policy_that_selects_only_some_of_them_makes_nothing_void(narrow: str, wide: str, message: str) -> None:
    other = "{containers: {names: [web]}, images: [nginx]}"
    assert message not in [one.message for one in found(document(narrow, select=WEB), document(wide, "q", other))]


def test_a_policy_that_never_alerts_is_told_unless_it_observes_every_container() -> None:
    learns = "mode: learn\n  exec: {allow: []}"
    (warning,) = found(document(learns, select=WEB))
    assert (warning.message, warning.code) == ('"p" only learns: nobody is told what it does not allow', Code.ONLY_LEARNS)
    assert found(document(learns)) == []
    assert found(document("mode: {exec: learn, read: alert}\n  exec: {allow: []}\n  read: {deny: [/a]}", select=WEB)) == []


def test_every_warning_is_in_the_order_of_the_text_with_a_code_and_a_hint() -> None:
    text = document("read: {allow: [/**, /a]}\n  exec: {allow: [image, image]}\n  listen: {allow: [1-3/tcp, 2-4/tcp]}")
    warned = found(text)
    assert [one.code for one in warned] == [Code.EVERYTHING, Code.SHADOWED, Code.TWICE, Code.OVERLAP]
    assert all(one.hint and one.quote and one.level == "warning" for one in warned)


def test_many_rules_are_linted_in_a_moment() -> None:
    paths = ", ".join(f"/a/b{number}/**, /a/b{number}/c/*.d" for number in range(2000))
    began = time.perf_counter()
    assert len(warnings(f"read: {{allow: [{paths}]}}")) == 2000
    assert time.perf_counter() - began < 2


def test_many_patterns_and_many_policies_are_linted_in_a_bounded_number_of_steps() -> None:
    paths = ", ".join(f"/**/*a{number}*" for number in range(2000))
    assert warnings(f"read: {{deny: [{paths}], allow: [/a/b, {paths}]}}")
    many = [document("read: {allow: [/a/b], deny: [/a/c]}", f"p{number}", WEB) for number in range(700)]
    began = time.perf_counter()
    assert found(*many) == []
    assert time.perf_counter() - began < 5
