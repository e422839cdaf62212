"""Conditions, names, presets, exceptions and requirements: what each says, and what it doesn't."""

import pytest
from msgspec.structs import replace

from model.event import Direction, Event, Exec, Net, Protocol, Session
from model.explain import explain
from model.judge import Compiled, build, judge_container
from model.origin import Container, Origin
from model.policy import Policy, parse
from model.presets import PRESETS, verbs_of
from model.problem import PolicyError
from model.verdict import Depends, Mode, Outcome, Reason, Severity, Verdict
from model.waits import waits
from tests.model.builders import HEAD, WEB, actor, connect, container, exec_, file, open_, policy, unix, write

SECOND_NS = 1_000_000_000
STARTED_NS = 100 * SECOND_NS
END_NS = 1_801_440_000 * SECOND_NS  # of 2027-01-31
ALLOWED, VIOLATION, EXCEPTED, UNJUDGED = Outcome.ALLOWED, Outcome.VIOLATION, Outcome.EXCEPTED, Outcome.UNJUDGED


def verdict(rules: str | Compiled, event: Event) -> Verdict:
    judged = build([policy(rules)], 1) if isinstance(rules, str) else rules
    found = judged.judge(event, STARTED_NS)
    assert found is not None
    return found


def outcome(rules: str | Compiled, event: Event) -> Outcome:
    return verdict(rules, event).outcome


def called(path: str, *argv: str, size: int = 10) -> Exec:
    return replace(exec_(path), argv=argv, argv_bytes=size)


def accepted(address: str, port: int, theirs: int = 50_000) -> Net:
    return Net(1, actor(), Direction.INGRESS, Protocol.TCP, address, theirs, port, 0, b"")


def mistake(spec: str, head: str = HEAD) -> str:
    text = f"{head}metadata: {{name: p}}\nspec:\n  select: {{images: [a]}}\n  {spec}\n"
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    return str(caught.value)


def test_ingress_is_who_connects_and_to_which_of_our_ports() -> None:
    rules = "ingress: {allow: [{from: 10.0.0.0/8, ports: [80/tcp]}]}"
    assert outcome(rules, accepted("10.1.2.3", 80)) is ALLOWED
    assert verdict(rules, accepted("10.1.2.3", 81, theirs=80)).reason is Reason.INGRESS_NOT_ALLOWED
    assert outcome(rules, accepted("11.1.2.3", 80)) is VIOLATION
    assert outcome(rules, accepted("127.0.0.1", 81)) is ALLOWED, "inside of the container's own network"
    assert verdict("ingress: {deny: [127.0.0.1]}", accepted("127.0.0.1", 81)).reason is Reason.INGRESS_DENIED


ARGUMENTS = [
    ('["-c", "nginx -t"]', ("sh", "-c", "nginx -t"), True),
    ('["-c", "nginx -t"]', ("sh", "-c", "nginx -t", "x"), False),
    ('["-c", "nginx -t"]', ("sh", "-c"), False),
    ('{prefix: ["-c"]}', ("sh", "-c", "anything"), True),
    ('{prefix: ["-c"]}', ("sh",), False),
    ("[]", ("sh",), True),
    ("[]", ("sh", ""), False),
    ('["/data/*", "?"]', ("sh", "/data/a/b", "x"), True),
    ('["/data/*", "?"]', ("sh", "/dat", "x"), False),
]


@pytest.mark.parametrize(("args", "argv", "fits"), ARGUMENTS)
def test_arguments_are_exact_a_prefix_or_patterns(args: str, argv: tuple[str, ...], fits: bool) -> None:
    assert (outcome(f"exec: {{allow: [{{path: /bin/sh, args: {args}}}]}}", called("/bin/sh", *argv)) is ALLOWED) is fits


@pytest.mark.parametrize("event", [called("/bin/sh", "sh", "a", size=4097), called("/bin/sh", "sh", "a\0"), called("/bin/sh")])
def test_arguments_that_are_cut_or_hold_a_nul_match_no_rule(event: Exec) -> None:
    assert outcome("exec: {allow: [{path: /bin/sh, args: {prefix: ['*']}}]}", event) is VIOLATION
    assert outcome("exec: {deny: [{path: /bin/sh, args: {prefix: ['*']}}]}", event) is ALLOWED


def test_a_scripts_arguments_stand_behind_its_path() -> None:
    rules = "exec: {allow: [/bin/sh, {path: /opt/run.sh, args: [a]}]}"
    script = replace(called("/bin/sh", "/bin/sh", "/opt/run.sh", "a"), script=file("/opt/run.sh"))
    assert outcome(rules, script) is ALLOWED
    assert outcome(rules, replace(script, argv=("/bin/sh", "-e", "./run.sh", "a"), cwd="/opt")) is ALLOWED
    assert outcome(rules, replace(script, argv=("/bin/sh", "/opt/run.sh", "b"))) is VIOLATION
    assert outcome(rules, replace(script, argv=("/bin/sh", "/dev/fd/3", "a"))) is VIOLATION


def test_a_multi_call_program_is_told_apart_by_the_name_it_is_called_by() -> None:
    rules = "exec: {allow: [{path: /bin/busybox, as: [cat, ls]}]}"
    assert outcome(rules, called("/bin/busybox", "/usr/bin/cat", "x")) is ALLOWED
    assert outcome(rules, called("/bin/busybox", "nc")) is VIOLATION
    assert outcome(rules, called("/bin/other", "cat")) is VIOLATION
    assert Depends.ARGV in verdict(rules, called("/bin/busybox", "cat")).depends


def test_a_rule_may_hold_for_some_sessions_only() -> None:
    rules = "exec: {allow: [{path: /bin/sh, session: [exec]}, /bin/a], deny: [{path: /bin/a, session: [exec]}]}"
    expected = {Session.MAIN: [VIOLATION, ALLOWED], Session.EXEC: [ALLOWED, VIOLATION], Session.STANDING: [VIOLATION, ALLOWED]}
    for session, outcomes in expected.items():
        assert [outcome(rules, exec_(path, by=actor(session))) for path in ("/bin/sh", "/bin/a")] == outcomes


def test_a_start_up_rule_holds_while_the_container_is_young() -> None:
    judged = build([policy("write: {allow: [{path: /etc/x, startup: 30s}, /tmp/**]}")], 1)
    young, old = (replace(write("/etc/x"), time_ns=STARTED_NS + age * SECOND_NS) for age in (29, 30))
    assert (outcome(judged, young), outcome(judged, old)) == (ALLOWED, VIOLATION)
    assert verdict(judged, young).expires_ns == STARTED_NS + 30 * SECOND_NS
    assert Depends.TIME in verdict(judged, young).depends
    assert (verdict(judged, old).expires_ns, Depends.TIME in verdict(judged, old).depends) == (0, False)
    unknown = judged.judge(young, 0)
    assert unknown is not None
    assert unknown.outcome is VIOLATION, "nobody knows when it started"


NAMES = [
    ("api.example.com", 443, ALLOWED),
    ("a.b.Example.com.", 443, ALLOWED),
    ("example.com", 443, VIOLATION),
    ("api.example.com", 80, VIOLATION),
    ("exact.org", 80, ALLOWED),
    ("sub.exact.org", 80, VIOLATION),
    ("evilexample.com", 443, VIOLATION),
    ("", 443, VIOLATION),
]


@pytest.mark.parametrize(("name", "port", "expected"), NAMES)
def test_a_peer_by_the_name_it_was_looked_up_by(name: str, port: int, expected: Outcome) -> None:
    rules = "egress: {allow: [{to: '*.example.com', ports: [443/tcp]}, exact.org]}"
    found = verdict(rules, replace(connect("192.0.2.1", port), name=name))
    assert found.outcome is expected
    assert Depends.NAME in found.depends


def test_a_name_is_read_only_where_it_could_matter() -> None:
    rules = "egress: {allow: [{to: '*.example.com', ports: [443/tcp]}, 10.0.0.0/8]}"
    assert Depends.NAME not in verdict(rules, connect("10.0.0.1", 443)).depends
    assert Depends.NAME not in verdict(rules, connect("192.0.2.1", 80)).depends
    assert Depends.NAME in verdict(rules, connect("192.0.2.1", 443)).depends
    assert outcome("egress: {deny: ['*.evil.org']}", replace(connect("10.0.0.1"), name="c2.evil.org")) is VIOLATION


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_can_be_included_and_its_rules_say_where_they_stand(preset: str) -> None:
    included = policy(f"include: [{preset}]")
    assert set(included.verbs) == set(verbs_of(preset))
    rules = [rule for one in included.verbs.values() for rule in (*(one.allow or ()), *one.deny)]
    lines = PRESETS[preset].splitlines()
    for rule in rules:
        name, line, column = rule.source.rsplit(":", 2)
        assert name == f"preset {preset}"
        assert lines[int(line) - 1][int(column) - 1 :].strip()


def test_presets_do_what_they_say() -> None:
    judged = build([policy("include: [metadata, runtime-sockets, secrets]")], 1)
    for event in (connect("169.254.169.254"), unix("/run/docker.sock"), open_("/etc/shadow")):
        assert outcome(judged, event) is VIOLATION
    assert outcome(judged, connect("10.0.0.1")) is ALLOWED
    nginx = build([policy("include: [nginx]")], 1)
    shell = replace(exec_("/bin/sh"), time_ns=STARTED_NS + SECOND_NS)
    assert (outcome(nginx, shell), outcome(nginx, replace(shell, time_ns=STARTED_NS + 61 * SECOND_NS))) == (ALLOWED, VIOLATION)


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    assert 'unknown preset "metdata"' in mistake("include: [metdata]")
    assert 'did you mean "metadata"?' in mistake("include: [metdata]")


def test_a_severity_is_the_policys_or_the_verbs() -> None:
    judged = build([policy("severity: {exec: critical}\nexec: {allow: []}\nread: {deny: [/a]}")], 1)
    assert [verdict(judged, event).severity for event in (exec_("/x"), open_("/a"))] == [Severity.CRITICAL, Severity.HIGH]
    assert verdict("severity: low\nread: {deny: [/a]}", open_("/a")).severity is Severity.LOW


def test_enforce_is_judged_as_alert_and_that_is_said() -> None:
    asked = policy("exec: {allow: []}", mode="enforce")
    assert verdict(build([asked], 1), exec_("/x")).mode is Mode.ALERT
    assert ["does not enforce" in wait.message for wait in waits(asked)] == [True]


def excepting(rule: str, verbs: str = "exec: {allow: [/a]}\nread: {deny: [/s]}", until: str = "2027-01-31") -> Policy:
    return policy(f"{verbs}\nexceptions: [{{rule: {rule}, until: {until}, owner: team, why: because}}]")


def before_and_after(*policies: Policy) -> Compiled:
    """The day of the exception ends at 1000 s."""
    return build(policies, 1, END_NS - 1000 * SECOND_NS)


def at(event: Exec, second: int) -> Exec:
    return replace(event, time_ns=second * SECOND_NS)


@pytest.mark.parametrize("rule", ["p/exec", "p/exec/allow"])
def test_an_excepted_violation_is_recorded_with_its_exception_until_its_day_has_ended(rule: str) -> None:
    judged = before_and_after(excepting(rule))
    found = verdict(judged, at(exec_("/b"), 999))
    assert (found.outcome, found.reason, found.exception) == (EXCEPTED, Reason.EXEC_NOT_ALLOWED, "team until 2027-01-31: because")
    assert (found.expires_ns, Depends.TIME in found.depends) == (1000 * SECOND_NS, True)
    assert outcome(judged, at(exec_("/b"), 1000)) is VIOLATION
    assert outcome(judged, at(exec_("/a"), 999)) is ALLOWED
    assert outcome(build([excepting(rule)], 1), exec_("/b")) is VIOLATION, "without a clock nobody knows the day"


def test_one_denial_may_be_excepted_and_what_another_policy_denies_stays_denied() -> None:
    denial = policy("read: {deny: [/s, /t]}").targets()[1]
    made = excepting(denial, "read: {deny: [/s, /t]}")
    assert outcome(before_and_after(made), open_("/s")) is EXCEPTED
    assert outcome(before_and_after(made), open_("/t")) is VIOLATION
    assert outcome(before_and_after(made, policy("read: {deny: [/s]}", "q")), open_("/s")) is VIOLATION


def test_an_exception_names_its_cause_in_an_explanation() -> None:
    found = explain(before_and_after(excepting("p/exec")), exec_("/b"), Origin(WEB, None))
    assert "excepted by team until 2027-01-31: because" in found.why


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        ("{rule: p/exec, until: 2027-01-31, owner: a}", 'an exception needs a field "why"'),
        ("{rule: p/exec, until: 31.1.2027, owner: a, why: b}", '"31.1.2027" is no date'),
        ("{rule: p/exec, until: 2027-02-30, owner: a, why: b}", '"2027-02-30" is no date'),
        ("{rule: p/exce, until: 2027-01-31, owner: a, why: b}", 'did you mean "p/exec"?'),
        ("{rule: other/exec, until: 2027-01-31, owner: a, why: b}", 'this policy has no rule "other/exec"'),
        ("{rule: p/exec, until: 2027-01-31, owner: '', why: b}", "says nothing"),
    ],
)
def test_a_mistake_in_an_exception_is_told(exception: str, message: str) -> None:
    assert message in mistake(f"exec: {{allow: []}}\n  exceptions: [{exception}]")


CLUSTER = HEAD.replace("kind: Policy", "kind: ClusterPolicy")
MORE_MISTAKES = [
    (HEAD, "tier: guardrail", "a Policy has no tier"),
    (CLUSTER, "exec: {allow: []}", 'a ClusterPolicy needs a field "tier"'),
    (CLUSTER, "tier: gardrail", 'did you mean "guardrail"?'),
    (HEAD, "exec: {deny: [{path: /a, startup: 30s}]}", "what is denied is denied at all times"),
    (HEAD, "exec: {allow: [{path: /a, startup: 30}]}", '"30" is no duration'),
    (HEAD, "exec: {allow: [{path: /a, startup: 2h}]}", "longer than a start-up"),
    (HEAD, "exec: {allow: [{path: /a, session: [man]}]}", 'did you mean "main"?'),
    (HEAD, "exec: {allow: [{path: /a, session: [runtime]}]}", "the runtime's own steps are not judged"),
    (HEAD, "exec: {allow: [{path: /a, args: x}]}", "expected a list of arguments"),
    (HEAD, "exec: {allow: [{path: /a, args: {prefx: [x]}}]}", 'did you mean "prefix"?'),
    (HEAD, "exec: {allow: [{path: /a, as: [/bin/cat]}]}", '"/bin/cat" is no name of a program'),
    (HEAD, "read: {allow: [{path: /a, args: [x]}]}", 'unknown field "args" in a path rule'),
    (HEAD, "egress: {allow: [{to: {svc: a/b}}]}", "a peer of Kubernetes has one field"),
    (HEAD, "egress: {allow: [{to: {service: api}}]}", '"api" names no service'),
    (HEAD, "ingress: {allow: [example.com]}", "who connects is not known by names"),
    (HEAD, "ingress: {allow: ['unix:/x']}", "who connects is not known by unix sockets"),
    (HEAD, "severity: loud", 'unknown severity "loud"'),
    (HEAD, "image: {registries: ['https://a.b']}", "is no registry"),
    (HEAD, "image: {digests: [abc]}", "is no digest"),
    (HEAD, "image: {maxAgeDays: none}", "is no number of days"),
    (HEAD, "image: {}", "requires nothing"),
    (HEAD, "privileges: {privileged: no}", "is neither true nor false"),
    (HEAD, "privileges: {capabilities: [NET_ADMN]}", 'did you mean "NET_ADMIN"?'),
    (HEAD, "include: [nginx]\n  mode: {exec: alert}", "mode does not say what holds for load of preset nginx"),
]


@pytest.mark.parametrize(("head", "spec", "message"), MORE_MISTAKES)
def test_a_mistake_is_told(head: str, spec: str, message: str) -> None:
    assert message in mistake(spec, head)


REQUIRED = [
    ("image: {registries: [docker.io]}", container(image="nginx"), Reason.ALLOWED),
    ("image: {registries: [docker.io/library]}", container(image="index.docker.io/nginx:1"), Reason.ALLOWED),
    ("image: {registries: [docker.io/lib]}", container(image="nginx"), Reason.IMAGE_REGISTRY),
    ("image: {registries: [example.com]}", container(image="evilexample.com/a"), Reason.IMAGE_REGISTRY),
    ("image: {registries: [example.com]}", container(image="example.com:5000/a"), Reason.IMAGE_REGISTRY),
    ("image: {registries: [example.com]}", container(image=""), Reason.IMAGE_UNKNOWN),
    (f"image: {{digests: ['sha256:{'a' * 64}']}}", replace(WEB, image_digest=f"sha256:{'a' * 64}"), Reason.ALLOWED),
    (f"image: {{digests: ['sha256:{'a' * 64}']}}", replace(WEB, image_digest=f"sha256:{'b' * 64}"), Reason.IMAGE_DIGEST),
    (f"image: {{digests: ['sha256:{'a' * 64}']}}", WEB, Reason.IMAGE_UNKNOWN),
    ("image: {tags: ['1.*']}", container(image="nginx"), Reason.IMAGE_TAG),
    ("image: {signedBy: [release.pub]}", WEB, Reason.IMAGE_UNKNOWN),
    ("privileges: {privileged: false}", replace(WEB, privileged=True), Reason.PRIVILEGE_PRIVILEGED),
    ("privileges: {privileged: false}", WEB, Reason.ALLOWED),
    ("privileges: {privileged: true}", replace(WEB, privileged=True), Reason.ALLOWED),
    ("privileges: {privileged: false}", Container(7, "/x", "", "", "", "unidentified"), Reason.PRIVILEGE_UNKNOWN),
    ("privileges: {runAsNonRoot: true}", WEB, Reason.PRIVILEGE_UNKNOWN),
    ("privileges: {runAsNonRoot: false}", WEB, Reason.ALLOWED),
]


@pytest.mark.parametrize(("spec", "of", "reason"), REQUIRED)
def test_a_requirement_is_met_or_not_or_said_to_be_unknown(spec: str, of: Container, reason: Reason) -> None:
    (found,) = judge_container(build([policy(spec)], 1), of)
    expected = ALLOWED if reason is Reason.ALLOWED else UNJUDGED if reason.endswith(".unknown") else VIOLATION
    assert (found.reason, found.outcome) == (reason, expected)


def test_a_violated_requirement_may_be_excepted() -> None:
    made = excepting("p/privileges/privileged", "privileges: {privileged: false}")
    judged = before_and_after(made)
    found = [judge_container(judged, replace(WEB, privileged=True), second * SECOND_NS)[0].outcome for second in (999, 1000)]
    assert found == [EXCEPTED, VIOLATION]


@pytest.mark.parametrize(
    "select", ["{labels: {app: web}}", "{workloads: [deployment/web]}", "{containers: {kinds: [app], names: ['*']}}"]
)
def test_what_only_kubernetes_knows_selects_nothing_and_that_is_said(select: str) -> None:
    waiting = policy("exec: {allow: []}", select=select)
    assert not waiting.selects(WEB)
    assert ["selects nothing" in wait.message for wait in waits(waiting)] == [True]


def test_namespaces_select_pods() -> None:
    assert policy("exec: {allow: []}", select="{namespaces: [sh*]}").selects(WEB)
    assert not policy("exec: {allow: []}", select="{namespaces: [other]}").selects(WEB)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("egress: {allow: [{to: {service: shop/api}}]}", "matches nothing on this node"),
        ("ingress: {allow: [{from: {namespace: edge}}]}", "matches nothing on this node"),
        ("exec: {allow: [{path: /a, session: [probe]}]}", "told apart by Kubernetes alone"),
        ("image: {maxAgeDays: 90}", "maxAgeDays is judged nowhere yet"),
    ],
)
def test_what_waits_is_said(spec: str, said: str) -> None:
    assert [wait.message for wait in waits(policy(spec)) if said in wait.message]
    assert list(waits(policy("exec: {allow: [/a]}"))) == []


def test_an_exception_that_is_over_is_said() -> None:
    assert not list(waits(excepting("p/exec"), END_NS - 1))
    assert ["ended with 2027-01-31" in wait.message for wait in waits(excepting("p/exec"), END_NS)] == [True]
