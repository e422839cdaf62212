"""What a policy means: verbs, layers, flags, modes, and which of several rules is decisive."""

from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from model.event import Access, Event, Exit, Flag, Layer, Operation, Protocol, Session
from model.explain import explain
from model.judge import Compiled, compile, judge, worst  # noqa: A004 - that's what it does
from model.origin import Container, Origin
from model.verdict import Depends, Mode, Outcome, Reason, Severity, Verdict
from tests.model.builders import (
    ORIGIN,
    WEB,
    actor,
    compiled,
    connect,
    container,
    exec_,
    file,
    listen,
    load,
    open_,
    policy,
    rename,
    unix,
    write,
)

ALLOWED, VIOLATION, UNJUDGED = Outcome.ALLOWED, Outcome.VIOLATION, Outcome.UNJUDGED


def verdict(judged: Compiled, event: Event) -> Verdict:
    found = judged.judge(event)
    assert found is not None
    return found


def outcome(rules: str, event: Event) -> Outcome:
    return verdict(compiled(rules), event).outcome


def reason(rules: str, event: Event) -> Reason:
    return verdict(compiled(rules), event).reason


def test_a_verb_that_nobody_mentions_is_not_judged() -> None:
    found = verdict(compiled("exec: {allow: [image]}"), connect("10.0.0.1"))
    assert (found.outcome, found.reason, found.verb) == (UNJUDGED, Reason.NOT_MENTIONED, "egress")


def test_an_empty_allow_list_allows_nothing() -> None:
    assert reason("exec: {allow: []}", exec_("/bin/ls")) is Reason.EXEC_NOT_ALLOWED


def test_deny_alone_makes_nothing_else_a_violation() -> None:
    rules = "read: {deny: [/etc/shadow]}"
    assert outcome(rules, open_("/etc/passwd")) is ALLOWED
    assert reason(rules, open_("/etc/shadow")) is Reason.READ_DENIED


def test_deny_wins_over_allow_also_that_of_another_policy() -> None:
    judged = compiled("read: {allow: [/etc/shadow, /etc/**]}", "read: {deny: [/etc/shad*]}")
    assert verdict(judged, open_("/etc/shadow")).reason is Reason.READ_DENIED


def test_allow_lists_unite() -> None:
    judged = compiled("exec: {allow: [/bin/a]}", "exec: {allow: [/bin/b]}")
    assert [verdict(judged, exec_(f"/bin/{name}")).outcome for name in "abc"] == [ALLOWED, ALLOWED, VIOLATION]


def test_a_policy_that_does_not_select_the_container_says_nothing() -> None:
    other = policy("exec: {allow: []}", select="{containers: {names: [other]}}")
    assert verdict(compile([other], WEB, 1), exec_("/bin/ls")).outcome is UNJUDGED


def test_a_container_without_identity_is_judged_by_what_selects_it() -> None:
    unknown = Container(7, "/x/7", "", "", "", "unidentified")
    for rules, expected in (("{containers: {names: ['*']}}", VIOLATION), ("{containers: {names: [web]}}", UNJUDGED)):
        judged = compile([policy("exec: {allow: []}", select=rules)], unknown, 1)
        assert judge(judged, exec_("/bin/ls"), Origin(unknown, None)).outcome is expected


@pytest.mark.parametrize(
    ("layer", "flags", "expected"),
    [
        (Layer.WRITABLE, Flag(0), Reason.EXEC_DRIFT),
        (Layer.VOLUME, Flag(0), Reason.EXEC_VOLUME),
        (Layer.TMPFS, Flag(0), Reason.EXEC_VOLUME),
        (Layer.MEMFD, Flag(0), Reason.EXEC_FILELESS),
        (Layer.WRITABLE, Flag.DELETED, Reason.EXEC_FILELESS),
        (Layer.NEW_MOUNT, Flag(0), Reason.EXEC_NOT_ALLOWED),
        (Layer.ROOT, Flag(0), Reason.EXEC_NOT_ALLOWED),
        (Layer.IMAGE, Flag(0), Reason.ALLOWED),
    ],
)
def test_an_allowed_program_is_the_images_and_the_reason_says_where_another_was(
    layer: Layer, flags: Flag, expected: Reason
) -> None:
    assert reason("exec: {allow: [/bin/ls]}", exec_("/bin/ls", layer, flags)) is expected


def test_a_program_from_elsewhere_is_allowed_where_that_is_said() -> None:
    rules = "exec: {allow: [{path: /opt/x, from: [volume, root]}]}"
    layers = (Layer.VOLUME, Layer.ROOT, Layer.IMAGE, Layer.WRITABLE)
    assert [outcome(rules, exec_("/opt/x", layer)) for layer in layers] == [ALLOWED, ALLOWED, VIOLATION, VIOLATION]


def test_image_is_everything_in_its_own_layers() -> None:
    assert outcome("exec: {allow: [image]}", exec_("/any/thing")) is ALLOWED
    assert reason("load: {allow: [image]}", load("/tmp/x.so", Layer.WRITABLE)) is Reason.LOAD_DRIFT
    assert reason("load: {allow: [image]}", load("/memfd:x", Layer.MEMFD)) is Reason.LOAD_NOT_ALLOWED


@pytest.mark.parametrize("layer", [Layer.IMAGE, Layer.WRITABLE, Layer.VOLUME, Layer.TMPFS, Layer.PROC, Layer.ROOT])
def test_a_path_of_read_and_write_is_that_file_wherever_its_bytes_live(layer: Layer) -> None:
    assert outcome("read: {allow: [/a/**]}", open_("/a/b", layer)) is ALLOWED
    assert outcome("write: {allow: [/a/**]}", write("/a/b", layer)) is ALLOWED


def test_no_path_rule_allows_what_is_on_a_mount_of_the_workloads_own() -> None:
    assert outcome("read: {allow: [/**]}", open_("/etc/hosts", Layer.NEW_MOUNT)) is VIOLATION
    assert outcome("read: {allow: [{path: /**, from: [new_mount]}]}", open_("/etc/hosts", Layer.NEW_MOUNT)) is ALLOWED


@pytest.mark.parametrize("flag", [Flag.CUT, Flag.UNSTABLE, Flag.OUTSIDE, Flag.CLAIMED, Flag.DISCONNECTED])
def test_a_name_that_is_not_sure_is_never_allowed_and_still_denied(flag: Flag) -> None:
    assert outcome("read: {allow: [/**]}", open_("/etc/hosts", flags=flag)) is VIOLATION
    assert reason("read: {deny: [/etc/**]}", open_("/etc/hosts", flags=flag)) is Reason.READ_DENIED
    assert outcome("egress: {allow: ['unix:/**']}", unix("/run/x", flags=flag)) is VIOLATION


@pytest.mark.parametrize(("flag", "expected"), [(Flag.CUT, ALLOWED), (Flag.OUTSIDE, VIOLATION), (Flag.CLAIMED, VIOLATION)])
def test_the_word_image_needs_the_layer_and_not_the_name(flag: Flag, expected: Outcome) -> None:
    assert outcome("exec: {allow: [image]}", exec_("/x", flags=flag)) is expected


@pytest.mark.parametrize("layer", list(Layer))
def test_a_denied_path_is_denied_on_every_layer(layer: Layer) -> None:
    assert outcome("exec: {deny: [/bin/nc]}", exec_("/bin/nc", layer)) is VIOLATION


def test_a_denied_path_may_be_denied_on_some_layers_only() -> None:
    rules = "read: {deny: [{path: /proc/*/environ, from: [proc_other]}]}"
    assert outcome(rules, open_("/proc/9/environ", Layer.PROC_OTHER)) is VIOLATION
    assert outcome(rules, open_("/proc/9/environ", Layer.PROC_SELF)) is ALLOWED


def test_process_ids_are_not_told_apart() -> None:
    judged = compiled("read: {allow: [/proc/self/status, /proc/*/stat]}")
    assert verdict(judged, open_("/proc/41/status", Layer.PROC_SELF)).outcome is ALLOWED
    assert verdict(judged, open_("/proc/41/status", Layer.PROC_OTHER)).outcome is VIOLATION
    assert verdict(judged, open_("/proc/1/stat", Layer.PROC_OTHER)).outcome is ALLOWED
    assert verdict(judged, open_("/mnt/proc/1/stat", Layer.PROC_OTHER)).outcome is VIOLATION


def test_a_script_and_its_interpreter_are_both_judged() -> None:
    rules = "exec: {allow: [/bin/dash, /opt/run.sh]}"
    assert outcome(rules, exec_("/bin/dash", script=file("/opt/run.sh"))) is ALLOWED
    assert reason(rules, exec_("/bin/dash", script=file("/tmp/x.sh", Layer.TMPFS))) is Reason.EXEC_VOLUME
    assert reason(rules, exec_("/bin/bash", script=file("/opt/run.sh"))) is Reason.EXEC_NOT_ALLOWED


def test_opening_for_both_is_judged_as_both_and_the_worst_wins() -> None:
    both = open_("/data/x", access=Access.READ | Access.WRITE)
    assert reason("read: {allow: [/data/**]}\nwrite: {allow: []}", both) is Reason.WRITE_NOT_ALLOWED
    assert reason("read: {deny: [/data/**]}\nwrite: {allow: [/data/**]}", both) is Reason.READ_DENIED
    assert outcome("read: {allow: [/data/**]}\nwrite: {allow: [/data/**]}", both) is ALLOWED
    assert outcome("write: {allow: [/data/**]}", both) is UNJUDGED


@pytest.mark.parametrize("access", [Access.CREATE, Access.TRUNCATE, Access.APPEND, Access.WRITE])
def test_creating_and_truncating_are_writing(access: Access) -> None:
    assert reason("write: {allow: []}", open_("/x", access=access)) is Reason.WRITE_NOT_ALLOWED


def test_a_new_name_for_what_must_not_be_read_is_a_violation() -> None:
    rules = "read: {deny: [/etc/secret]}"
    assert reason(rules, rename("/etc/secret", "/tmp/x")) is Reason.READ_DENIED
    assert outcome(rules, rename("/etc/other", "/tmp/x")) is not VIOLATION


def test_both_names_of_a_rename_are_judged_and_the_second_is_not_in_the_key() -> None:
    judged = compiled("write: {allow: [/tmp/**], deny: [/tmp/no]}")
    assert verdict(judged, rename("/tmp/a", "/tmp/b")).outcome is ALLOWED
    assert verdict(judged, rename("/tmp/a", "/etc/b")).reason is Reason.WRITE_NOT_ALLOWED
    assert verdict(judged, rename("/etc/a", "/tmp/b")).reason is Reason.WRITE_NOT_ALLOWED
    assert verdict(judged, rename("/tmp/a", "/tmp/no")).reason is Reason.WRITE_DENIED
    assert Depends.TARGET in verdict(judged, rename("/tmp/a", "/tmp/b")).depends
    assert Depends.TARGET not in verdict(compiled("exec: {allow: []}"), rename("/tmp/a", "/tmp/b")).depends


@pytest.mark.parametrize("operation", list(Operation))
def test_every_change_is_judged_as_a_write(operation: Operation) -> None:
    @dataclass
    class Case:
        path: str
        expected: Outcome

    for case in (Case("/tmp/x", ALLOWED), Case("/etc/x", VIOLATION)):
        event = rename(case.path, case.path)
        changed = type(event)(1, event.actor, operation, event.file, None, 0, 0, b"")
        assert outcome("write: {allow: [/tmp/**]}", changed) is case.expected


PEERS = [
    (connect("10.1.2.3", 5432), ALLOWED),
    (connect("10.1.2.3", 5433), VIOLATION),
    (connect("10.1.2.3", 5432, Protocol.UDP), VIOLATION),
    (connect("11.1.2.3", 5432), VIOLATION),
    (connect("2001:db8::5", 9), ALLOWED),
    (connect("2001:db9::5", 9), VIOLATION),
    (connect("192.0.2.7", 8500, Protocol.UDP), ALLOWED),
    (connect("192.0.2.7", 9001, Protocol.UDP), VIOLATION),
    (connect("127.0.0.1", 1), ALLOWED),
    (connect("127.9.9.9", 1), ALLOWED),
    (connect("::1", 1), ALLOWED),
    (connect("0.0.0.0", 1), ALLOWED),  # noqa: S104 - the kernel connects to loopback
    (connect("not an address", 1), VIOLATION),
]


@pytest.mark.parametrize(("event", "expected"), PEERS)
def test_egress_by_network_port_and_protocol(event: Event, expected: Outcome) -> None:
    rules = (
        "egress: {allow: [{to: 10.0.0.0/8, ports: [5432/tcp]}, 2001:db8::/32, {to: 192.0.2.7, ports: [8000-9000/udp]}]}"
    )  # fmt: skip
    assert outcome(rules, event) is expected


def test_listening_on_every_address_is_not_listening_on_loopback() -> None:
    rules = "listen: {allow: [{address: 127.0.0.1, ports: [80/tcp]}, {address: 0.0.0.0, ports: [81/tcp]}]}"
    assert outcome(rules, listen(80, "127.0.0.1")) is ALLOWED
    assert outcome(rules, listen(80, "0.0.0.0")) is VIOLATION  # noqa: S104 - what is tried
    assert outcome(rules, listen(80, "::")) is VIOLATION
    assert outcome(rules, listen(81, "0.0.0.0")) is ALLOWED  # noqa: S104 - what is tried


def test_loopback_is_allowed_unless_denied_by_any_of_its_names() -> None:
    rules = "egress: {allow: [], deny: [{to: 127.0.0.1, ports: [6379/tcp]}, '::1']}"
    assert outcome(rules, connect("127.0.0.1", 80)) is ALLOWED
    assert outcome(rules, connect("127.0.0.1", 6379)) is VIOLATION
    assert outcome(rules, connect("0.0.0.0", 6379)) is VIOLATION  # noqa: S104 - the kernel connects to loopback
    assert outcome(rules, connect("::", 6379)) is VIOLATION


def test_a_socket_that_is_not_there_may_be_asked_for_by_its_name() -> None:
    rules = "egress: {allow: ['unix:/run/nscd/socket']}"
    claimed = unix("/run/nscd/socket", layer=Layer.NEW_MOUNT, flags=Flag.CLAIMED)
    assert outcome(rules, replace(claimed, result=2)) is ALLOWED
    assert outcome(rules, claimed) is VIOLATION
    assert outcome(rules, replace(unix("/run/other", layer=Layer.NEW_MOUNT, flags=Flag.CLAIMED), result=2)) is VIOLATION


def test_unix_sockets_are_egress_by_file_and_by_abstract_name() -> None:
    rules = "egress: {allow: ['unix:/run/db/*', 'unix:@bus/*'], deny: ['unix:/**/docker.sock']}"
    assert outcome(rules, unix("/run/db/x")) is ALLOWED
    assert outcome(rules, unix(abstract="bus/1")) is ALLOWED
    assert outcome(rules, unix("/bus/1")) is VIOLATION
    assert reason(rules, unix(abstract="run/db/x")) is Reason.EGRESS_NOT_ALLOWED
    assert reason(rules, unix("/run/docker.sock", layer=Layer.NEW_MOUNT)) is Reason.EGRESS_DENIED
    assert outcome("egress: {allow: ['unix:/**']}", unix("/run/x", layer=Layer.NEW_MOUNT)) is VIOLATION


def test_listen_by_port_and_by_local_address() -> None:
    rules = "listen: {allow: [80/tcp, {address: 127.0.0.0/8, ports: [9000-9010/tcp]}]}"
    assert outcome(rules, listen(80)) is ALLOWED
    assert outcome(rules, listen(80, protocol=Protocol.UDP)) is VIOLATION
    assert outcome(rules, listen(9005, "127.0.0.1")) is ALLOWED
    assert outcome(rules, listen(9005, "10.0.0.5")) is VIOLATION


def test_the_runtimes_own_steps_are_not_judged() -> None:
    found = verdict(compiled("exec: {allow: [], deny: [/**]}"), exec_("/bin/ls", by=actor(Session.RUNTIME)))
    assert (found.outcome, found.reason) == (UNJUDGED, Reason.RUNTIME)


@pytest.mark.parametrize("session", [Session.MAIN, Session.EXEC, Session.STANDING])
def test_every_other_session_is_judged(session: Session) -> None:
    assert outcome("exec: {allow: []}", exec_("/bin/ls", by=actor(session))) is VIOLATION


def test_an_event_without_a_verb_has_no_verdict() -> None:
    event = Exit(1, actor(), 0, 0, 5)
    assert compiled("exec: {allow: []}").judge(event) is None
    assert judge(compiled("exec: {allow: []}"), event, ORIGIN).verb == ""


def test_the_strictest_mode_of_the_lists_that_are_violated_wins() -> None:
    learn = policy("exec: {allow: [/bin/a]}", "learn", mode="learn")
    alert = policy("exec: {allow: [/bin/b]}", "alert")
    for order in ([learn, alert], [alert, learn]):
        assert verdict(compile(order, WEB, 1), exec_("/bin/c")).mode is Mode.ALERT
    assert verdict(compile([learn], WEB, 1), exec_("/bin/c")).mode is Mode.LEARN


def test_learning_stays_silent_beside_a_policy_that_alerts_on_other_things() -> None:
    learn = policy("egress: {allow: []}", "learn", mode="learn")
    alert = policy("egress: {deny: [169.254.169.254]}", "alert")
    judged = compile([learn, alert], WEB, 1)
    assert verdict(judged, connect("10.0.0.1")).mode is Mode.LEARN
    assert verdict(judged, connect("169.254.169.254")).mode is Mode.ALERT


def test_the_mode_is_said_verb_by_verb() -> None:
    judged = compiled(policy("exec: {allow: []}\nload: {allow: []}", mode="{exec: alert, load: learn}"))
    assert verdict(judged, exec_("/bin/ls")).mode is Mode.ALERT
    assert verdict(judged, load("/x.so")).mode is Mode.LEARN


def test_a_rules_id_and_the_decisive_rule_do_not_depend_on_order() -> None:
    one = policy("read: {allow: [/a/**, /a/b/**, /a/b/c, /a/b/*, /**/c], deny: [/x/**, /x/y/**, /**/y]}")
    two = policy("read: {allow: [/**/c, /a/b/*, /a/b/c, /a/b/**, /a/**], deny: [/**/y, /x/y/**, /x/**]}")
    for path in ("/a/b/c", "/a/b/d", "/a/b/c/d", "/a/x", "/q/c", "/x/y/z", "/x/y", "/x/z"):
        first, second = (verdict(compiled(each), open_(path)) for each in (one, two))
        assert first.rule == second.rule
        assert first.rule.startswith(f"p/read/{'deny' if path[1] == 'x' else 'allow'}/")


def test_a_violation_names_the_list_that_should_have_it_or_the_rule_that_denies_it() -> None:
    judged = compiled(policy("read: {allow: [/a], deny: [/b]}", "web"))
    missing, denied = verdict(judged, open_("/c")), verdict(judged, open_("/b"))
    assert (missing.rule, missing.source, missing.policy) == ("web/read/allow", "web.yaml:7:10", "web")
    assert (denied.rule[:14], denied.source, denied.policy) == ("web/read/deny/", "web.yaml:7:30", "web")


def test_what_cannot_be_seen_twice_is_the_loudest() -> None:
    assert verdict(compiled("exec: {allow: []}"), exec_("/memfd:x", Layer.MEMFD)).severity is Severity.CRITICAL
    assert verdict(compiled("exec: {allow: []}"), exec_("/x", Layer.WRITABLE)).severity is Severity.HIGH
    assert verdict(compiled("read: {allow: []}"), open_("/x")).severity is Severity.LOW


@pytest.mark.parametrize(
    ("rules", "event", "expected"),
    [
        ("exec: {allow: []}", open_("/x"), Depends.CONTAINER),
        ("read: {allow: []}", open_("/x"), Depends.CONTAINER),
        ("read: {deny: [/x]}", open_("/x"), Depends.CONTAINER | Depends.PATH),
        ("read: {allow: [image]}", open_("/x"), Depends.CONTAINER | Depends.LAYER),
        ("read: {allow: [/x]}", open_("/x"), Depends.CONTAINER | Depends.PATH | Depends.LAYER),
        ("load: {allow: [image]}", load("/x"), Depends.CONTAINER | Depends.LAYER),
        ("egress: {deny: [10.0.0.1]}", connect("10.0.0.1"), Depends.CONTAINER | Depends.ADDRESS),
        ("listen: {allow: [80/tcp]}", listen(80), Depends.CONTAINER | Depends.PORT),
    ],
)
def test_depends_names_what_was_read(rules: str, event: Event, expected: Depends) -> None:
    assert verdict(compiled(rules), event).depends == expected


def test_the_worst_of_two_knows_what_both_were_decided_from() -> None:
    judged = compiled("read: {deny: [/x]}\nwrite: {allow: []}")
    found = verdict(judged, open_("/y", access=Access.READ | Access.WRITE))
    assert found.reason is Reason.WRITE_NOT_ALLOWED
    assert Depends.PATH in found.depends
    assert worst(found, found) is found


def test_a_folder_has_one_verdict_where_no_rule_looks_deeper() -> None:
    judged = compiled("write: {allow: [/tmp/**, /srv/*/x], deny: [/tmp/no/**]}")
    uniform = judged.uniform("write", "/tmp/yes", Layer.TMPFS)
    assert uniform is not None
    assert uniform.outcome is ALLOWED
    denied = judged.uniform("write", "/tmp/no", Layer.TMPFS)
    assert denied is not None
    assert denied.reason is Reason.WRITE_DENIED
    assert judged.uniform("write", "/tmp", Layer.TMPFS) is None
    assert judged.uniform("write", "/srv", Layer.VOLUME) is None
    elsewhere = judged.uniform("write", "/var", Layer.WRITABLE)
    assert elsewhere is not None
    assert elsewhere.outcome is VIOLATION
    unmentioned = judged.uniform("read", "/", Layer.IMAGE)
    assert unmentioned is not None
    assert unmentioned.outcome is UNJUDGED


def test_a_network_has_one_verdict_where_no_rule_looks_deeper() -> None:
    judged = compiled("egress: {allow: [{to: 10.0.0.0/8, ports: [443/tcp]}], deny: [{to: 10.1.1.1, ports: [443/tcp]}]}")
    inside = judged.uniform_network("egress", ip_network("10.2.0.0/16"), 443, 6)
    assert inside is not None
    assert inside.outcome is ALLOWED
    assert judged.uniform_network("egress", ip_network("10.1.1.0/24"), 443, 6) is None
    other_port = judged.uniform_network("egress", ip_network("10.1.1.0/24"), 80, 6)
    assert other_port is not None
    assert other_port.outcome is VIOLATION
    assert judged.uniform_network("egress", ip_network("0.0.0.0/0"), 80, 6) is None
    assert judged.uniform_network("egress", ip_network("::/0"), 80, 6) is None


def test_tripwires_are_what_is_denied_by_name() -> None:
    judged = compiled(
        "read: {deny: [/etc/shadow, /run/secrets/**, /home/*/.ssh/id_*, /**/token, /*]}\n"
        "egress: {deny: [169.254.169.254, 'unix:/run/d.sock', 'unix:@/shim/**']}"
    )
    paths, names, networks = judged.tripwires()
    assert paths == ("/etc/shadow", "/run/d.sock", "/run/secrets")
    assert names == (".ssh", "d.sock", "shim", "token")
    assert networks == (ip_network("169.254.169.254/32"),)


def test_explain_holds_every_rule_against_the_event_and_marks_the_decisive_one() -> None:
    judged = compiled("exec: {allow: [/bin/a, /bin/b, image], deny: [/bin/c]}")
    found = explain(judged, exec_("/bin/b", Layer.WRITABLE), ORIGIN)
    assert found.verdict.reason is Reason.EXEC_DRIFT
    assert [(one.text, one.matched, one.decisive) for one in found.tried] == [
        ("/bin/c", False, False),
        ("/bin/a", False, False),
        ("/bin/b", False, False),
        ("image", False, False),
    ]
    assert found.tried[2].why == "the file is from writable; the rule is for image"
    allowed = explain(judged, exec_("/bin/b"), ORIGIN)
    assert [one.text for one in allowed.tried if one.decisive] == ["image"]
    assert "allow image" in allowed.why


def test_two_containers_share_a_judge_only_by_what_selects_them() -> None:
    judged = [
        compile([policy("exec: {allow: []}", select="{images: [nginx]}")], container(image=image), 1) for image in ("nginx", "x")
    ]
    assert [verdict(each, exec_("/bin/ls")).outcome for each in judged] == [VIOLATION, UNJUDGED]
