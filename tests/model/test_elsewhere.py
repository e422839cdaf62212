"""Rules whose paths are something else in an image at hand."""

import pytest

from model.elsewhere import Place, elsewhere, paths_of
from model.policy import parse
from model.problem import Code, Problem
from tests.model.test_lint import document

IMAGE = {
    "/bin": Place("/usr/bin", True),
    "/bin/sh": Place("/usr/bin/dash", True),
    "/bin/ls": Place("/bin/busybox", True),
    "/usr/bin/dash": Place("/usr/bin/dash", True),
    "/usr/sbin/ngnix": Place("/usr/sbin/ngnix", False),
    "/var/run": Place("/run", True),
    "/var/run/app.sock": Place("/run/app.sock", True),
    "/var/run/nscd/socket": Place("/run/nscd/socket", False),
    "/etc/app/key": Place("/etc/app/..2026_11_24/key", True),
    "/dev/stdout": Place("/proc/self/fd/1", True),
    "/": Place("/", True),
}


def told(lines: str) -> list[Problem]:
    text = document(lines)
    policies = parse(text, "p.yaml")
    return elsewhere(policies, {"p.yaml": text}, {path: IMAGE[path] for path in paths_of(policies) if path in IMAGE}, "IMAGE")


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        ("exec: {allow: [/bin/sh]}", '"/bin/sh" is "/usr/bin/dash" in IMAGE', 'write "/usr/bin/dash"'),
        ("exec: {allow: ['/bin/*sh']}", '"/bin/*sh" is "/usr/bin/*sh" in IMAGE', 'write "/usr/bin/*sh"'),
        ("exec: {allow: [/bin/ls]}", '"/bin/ls" is "/bin/busybox" in IMAGE', "all that this one program can do"),
        ("write: {allow: [/var/run/**]}", '"/var/run/**" is "/run/**" in IMAGE', 'write "/run/**"'),
        ("read: {deny: [/etc/app/key]}", '"/etc/app/key" is "/etc/app/..2026_11_24/key" in IMAGE', 'write "/etc/app/**"'),
        ("write: {allow: [/dev/stdout]}", '"/dev/stdout" is "/proc/self/fd/1" in IMAGE', "what each process has open"),
        ("egress: {deny: ['unix:/var/run/app.sock']}", '"unix:/var/run/app.sock" is "/run/app.sock" in IMAGE', "/run/app.sock"),
    ],
)
def test_a_path_that_leads_elsewhere_is_told_with_what_to_write(lines: str, message: str, hint: str) -> None:
    (warning,) = told(lines)
    assert (warning.message, warning.code, warning.level) == (message, Code.ELSEWHERE, "warning")
    assert hint in warning.hint


def test_a_program_that_the_image_does_not_have_is_told() -> None:
    (warning,) = told("exec: {allow: [/usr/sbin/ngnix]}")
    assert (warning.message, warning.code) == ('"/usr/sbin/ngnix" is not in IMAGE', Code.NOT_THERE)


@pytest.mark.parametrize(
    "lines",
    [
        "exec: {allow: [/usr/bin/dash, image]}",
        "exec: {allow: [/bin/sh, /usr/bin/dash]}",
        "exec: {allow: [{path: /usr/sbin/ngnix, from: [volume]}]}",
        "exec: {deny: [/usr/sbin/ngnix]}",
        "read: {deny: [/**, /*/x, /proc/self/exe]}",
        "egress: {allow: ['unix:/var/run/nscd/socket', 'unix:@/bin/sh', 10.0.0.0/8]}",
    ],
)
def test_what_is_written_as_it_is_there_has_no_warning(lines: str) -> None:
    assert told(lines) == []
