"""Warnings about policies that are valid and yet not what was meant."""

import time

import pytest

from model.lint import lint
from model.policy import parse
from tests.model.builders import HEAD


def warnings(lines: str) -> list[str]:
    text = f'{HEAD}metadata: {{name: p}}\nspec:\n  select: {{containers: {{names: ["*"]}}}}\n  {lines}\n'
    return [problem.message for problem in lint(parse(text, "p.yaml"), {"p.yaml": text})]


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
        "      |             ^\n"
        "hint: leave read out, so that it is only recorded, or name what is needed"
    )


def test_policies_of_one_name_in_two_files_are_told() -> None:
    text = f"{HEAD}metadata: {{name: p}}\nspec:\n  select: {{images: [nginx]}}\n  exec: {{allow: []}}\n"
    found = lint([*parse(text, "a.yaml"), *parse(text, "b.yaml")], {"a.yaml": text, "b.yaml": text})
    assert [(one.file, one.message) for one in found] == [("b.yaml", 'a second policy named "p"')]


def test_many_rules_are_linted_in_a_moment() -> None:
    paths = ", ".join(f"/a/b{number}/**, /a/b{number}/c/*.d" for number in range(2000))
    began = time.perf_counter()
    assert len(warnings(f"read: {{allow: [{paths}]}}")) == 2000
    assert time.perf_counter() - began < 2
