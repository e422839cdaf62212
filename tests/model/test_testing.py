"""Test files of policies: what a case says becomes the event that the kernel would report; every mistake in it is told."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.cases import EVENTS
from model.event import Access, Change, Direction, Exec, Flag, Layer, Load, Net, Open, Operation, Protocol, Session, Unix
from model.problem import Code, PolicyError, Problem
from model.testing import Case, parse
from model.trial import Failure, container_of, event_of, run
from tests.model.builders import policy
from tests.model.test_policy import BOMBS
from tests.project.tree import ROOT


def case(event: str, expect: str = "allowed", more: str = "") -> Case:
    (group,) = parse(f"cases:\n  - {event}\n    expect: {expect}\n{more}", "p.test.yaml")
    return group.cases[0]


def problems(text: str) -> list[Problem]:
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.test.yaml")
    return list(caught.value.problems)


def test_a_program_with_its_arguments_and_its_script() -> None:
    event = event_of(case("exec: {path: /bin/busybox, as: sh, args: [-c, ls], script: {path: /x, from: volume}}"))
    assert isinstance(event, Exec)
    assert (event.file.path, event.file.layer, event.argv) == ("/bin/busybox", Layer.IMAGE, ("sh", "-c", "ls"))
    assert event.script is not None
    assert (event.script.path, event.script.layer) == ("/x", Layer.VOLUME)


def test_who_did_it_and_when() -> None:
    one = case(
        "exec: /bin/sh", more="    session: exec\n    user: 1000\n    age_s: 5\n    container: {name: a, namespace: shop}\n"
    )
    event, container = event_of(one), container_of(one)
    assert isinstance(event, Exec)
    assert (event.actor.session, event.actor.euid) == (Session.EXEC, 1000)
    assert event.time_ns - container.started_ns == 5_000_000_000
    assert (container.name, container.pod and container.pod.namespace) == ("a", "shop")


@pytest.mark.parametrize(
    ("written", "path", "layer", "access"),
    [
        ("/etc/passwd", "/etc/passwd", Layer.IMAGE, Access.READ),
        ("{path: /a, access: [write, create]}", "/a", Layer.WRITABLE, Access.WRITE | Access.CREATE),
        ("{path: /a, access: append, from: volume}", "/a", Layer.VOLUME, Access.APPEND),
        ("/proc/self/mem", "/proc/self/mem", Layer.PROC_SELF, Access.READ),
        ("/proc/77/mem", "/proc/77/mem", Layer.PROC_OTHER, Access.READ),
        ("/proc/kcore", "/proc/kcore", Layer.PROC, Access.READ),
        (r"/a\b", r"/a\\b", Layer.IMAGE, Access.READ),
    ],
)
def test_a_file_is_where_such_files_usually_are(written: str, path: str, layer: Layer, access: Access) -> None:
    event = event_of(case(f"open: {written}"))
    assert isinstance(event, Open)
    assert (event.file.path, event.file.layer, event.access) == (path, layer, access)


def test_what_is_loaded_is_not_from_the_image_and_what_is_changed_has_a_second_name() -> None:
    loaded = event_of(case("load: {path: /x.so, flags: [cut]}"))
    assert isinstance(loaded, Load)
    assert (loaded.file.layer, loaded.file.flags) == (Layer.WRITABLE, Flag.CUT)
    changed = event_of(case("change: {path: /a, how: rename, to: /b}"))
    assert isinstance(changed, Change)
    assert (changed.operation, changed.target and changed.target.path) == (Operation.RENAME, "/b")


@pytest.mark.parametrize(
    ("written", "direction", "address", "port", "local", "protocol"),
    [
        ("connect: 10.0.0.1:5432/tcp", Direction.EGRESS, "10.0.0.1", 5432, 0, Protocol.TCP),
        ('connect: "[2001:db8::1]:53/udp"', Direction.EGRESS, "2001:db8::1", 53, 0, Protocol.UDP),
        ("accept: {from: 10.0.0.9, port: 80/tcp}", Direction.INGRESS, "10.0.0.9", 40000, 80, Protocol.TCP),
        ("listen: 80/tcp", Direction.LISTEN, "0.0.0.0", 80, 80, Protocol.TCP),  # noqa: S104 - what servers listen on
        ("listen: {port: 80/sctp, address: 127.0.0.1}", Direction.LISTEN, "127.0.0.1", 80, 80, Protocol.SCTP),
    ],
)
def test_a_peer_and_a_port(written: str, direction: Direction, address: str, port: int, local: int, protocol: Protocol) -> None:
    event = event_of(case(written))
    assert isinstance(event, Net)
    found = (event.direction, event.address, event.port, event.local_port, event.protocol)
    assert found == (direction, address, port, local, protocol)


def test_a_unix_socket_by_its_file_or_its_abstract_name() -> None:
    file, abstract = event_of(case("connect: unix:/run/a.sock")), event_of(case('connect: "unix:@bus/x"'))
    assert isinstance(file, Unix)
    assert isinstance(abstract, Unix)
    assert file.file is not None
    assert (file.file.path, file.file.layer, abstract.file, abstract.abstract) == ("/run/a.sock", Layer.TMPFS, None, "bus/x")


SHADOW = policy("read: {deny: [/etc/**]}\nexec: {allow: [image]}")


@pytest.mark.parametrize(
    "expect",
    [
        "violation", "read.denied", "{reason: read.denied, mode: alert, severity: high}", "{rule: /etc/**}",
        "{rule: p/read/deny}", "{rule: '/etc/**'}", "{verdict: violation, rule: p/read}",
    ],
)  # fmt: skip
def test_a_case_whose_verdict_is_as_expected_passes(expect: str) -> None:
    assert run([SHADOW], case("open: /etc/shadow", expect)) is None


@pytest.mark.parametrize(
    "expect", ["allowed", "unjudged", "read.not_allowed", "{rule: /etc/*}", "{rule: p/rea}", "{mode: learn}"]
)
def test_one_whose_verdict_is_another_fails(expect: str) -> None:
    failure = run([SHADOW], case("open: /etc/shadow", expect))
    assert isinstance(failure, Failure)
    assert failure.problem.code == Code.TEST_FAILED


def test_a_failure_is_told_with_its_place_both_verdicts_and_the_reason() -> None:
    failure = run([SHADOW], case("open: /etc/shadow", "{verdict: allowed, rule: /etc/shadow}", "    name: it may\n"))
    assert str(failure) == (
        "p.test.yaml:2:5: it may: expected allowed, /etc/shadow; got violation, /etc/** (p.yaml:7:17)\n"
        "    2 |   - open: /etc/shadow\n"
        "      |     ^^^^\n"
        "    - verdict   allowed\n"
        "    + verdict   violation\n"
        "    - rule      /etc/shadow\n"
        "    + rule      /etc/** (p.yaml:7:17)\n"
        "      reason    read.denied\n"
        "      mode      alert\n"
        "      severity  high\n"
        "hint: read.denied: deny /etc/** (p.yaml:7:17)"
    )


def test_a_case_that_no_policy_is_for_says_so() -> None:
    other = policy("read: {deny: [/etc/**]}", select="{images: [redis]}")
    failure = run([other], case("open: /etc/shadow", "read.denied", "    container: {name: web, image: nginx}\n"))
    assert failure is not None
    assert failure.problem.hint == 'no policy selects container "web" of image "nginx"'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("cases: []", '"cases" is an empty list'),
        ("case: []", 'unknown field "case" in a test file'),
        ("cases: [{exec: /a}]", 'a case needs a field "expect"'),
        ("cases: [{expect: allowed}]", "a case does nothing"),
        ("cases: [{exec: /a, open: /b, expect: allowed}]", "a case does exec and open"),
        ("cases: [{exec: a, expect: allowed}]", '"a" is no absolute path'),
        ("cases: [{exec: /a/../b, expect: allowed}]", "the kernel reports no such path"),
        ("cases: [{exec: /a, expect: alowed}]", '"alowed" is neither a verdict nor a reason'),
        ("cases: [{exec: /a, expect: {}}]", "expects nothing"),
        ("cases: [{exec: /a, expect: {verdict: exec.drift}}]", 'unknown verdict "exec.drift"'),
        ("cases: [{exec: {path: /a, frm: image}, expect: allowed}]", 'unknown field "frm" in exec'),
        ("cases: [{exec: {path: /a, from: imag}, expect: allowed}]", 'unknown layer "imag"'),
        ("cases: [{open: {path: /a, access: reed}, expect: allowed}]", 'unknown access "reed"'),
        ("cases: [{open: {path: /a, access: []}, expect: allowed}]", '"access" is an empty list'),
        ("cases: [{connect: 10.0.0.1, expect: allowed}]", "has no port"),
        ("cases: [{connect: '10.0.0.1:80', expect: allowed}]", '"80" has no protocol'),
        ("cases: [{connect: 'example.com:80/tcp', expect: allowed}]", '"example.com" is no address'),
        ("cases: [{connect: 'unix:x', expect: allowed}]", "is no unix socket"),
        ("cases: [{listen: 80-90/tcp, expect: allowed}]", "is no single port"),
        ("cases: [{exec: /a, session: runtime, expect: allowed}]", 'unknown session "runtime"'),
        ("cases: [{exec: /a, user: root, expect: allowed}]", '"root" is no number'),
        ("cases: [{exec: /a, user: [], expect: allowed}]", "expected a number"),
        ("cases: [{exec: /a, expect: allowed, expect: allowed}]", 'duplicate field "expect"'),
        ("cases: [{exec: , expect: allowed}]", 'expected a mapping for "exec", not nothing'),
        ("cases: [", "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(lines: str, message: str) -> None:
    found = problems(lines)
    assert [one for one in found if message in one.message], [str(one) for one in found]
    assert all(one.line <= 2 and one.column >= 1 for one in found)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_a_test_file_as_in_a_policy(name: str) -> None:
    assert len("\n".join(map(str, problems(BOMBS[name])))) < 2_000_000


FRAGMENTS = st.sampled_from(
    ["cases:", "  - ", "exec: /a", "open: {path: /a}", "expect: ", "allowed", "container: ", "{", "}", "[", "]", "\n", "&a", "*a"]
    + [f"{kind}: " for kind in EVENTS]
)


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join)))
def test_any_text_is_a_test_file_or_a_list_of_problems(text: str) -> None:
    try:
        groups = parse(text, "p.test.yaml")
    except PolicyError as error:
        told = str(error)
    else:
        told = f"p.test.yaml:{[event_of(one) for group in groups for one in group.cases]}"
    assert told.startswith("p.test.yaml:")


def test_of_a_rule_with_ports_or_layers_the_first_word_is_enough() -> None:
    web = policy("egress: {allow: [{to: 10.0.0.0/8, ports: [443/tcp, 53/udp]}]}")
    assert run([web], case("connect: 10.0.0.1:443/tcp", "{verdict: allowed, rule: 10.0.0.0/8}")) is None
    assert run([web], case("connect: 10.0.0.1:443/tcp", "{verdict: allowed, rule: 10.0.0.0}")) is not None


def test_the_example_in_the_docs_is_a_test_file() -> None:
    page = (ROOT / "docs/how-to/check-and-test.md").read_text()
    (example,) = re.findall(r"^```yaml\n(container:.*?)^```", page, re.MULTILINE | re.DOTALL)
    (group,) = parse(example, "web.test.yaml")
    assert [one.kind for one in group.cases] == ["exec", "exec", "open", "connect"]
