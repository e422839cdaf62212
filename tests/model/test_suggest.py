"""What was seen becomes a policy that allows it; what it can't allow, it says."""

from collections.abc import Iterable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from model import behaviour
from model.behaviour import Behaviour
from model.draft import Draft, Workload, draft
from model.event import Event, Flag, FlowCount, Gap, Handover, Layer, Protocol, Session, Socket
from model.judge import build, judge
from model.lint import lint
from model.origin import Container, Origin
from model.policy import parse
from model.problem import Code
from model.record import Record, Where
from model.verdict import Mode, Outcome, Reason, Severity, Verdict
from tests.model.builders import actor, connect, container, exec_, listen, open_, unix, write
from tests.model.strategies import KINDS, SUBJECTS

WEB = Workload("web", "shop")
HERE = Where("agent-1", "boot-1", "node-1")
IN_KEY = {"web": container()}
SECOND_NS = 1_000_000_000


def recorded(events: Iterable[Event], verdict: Verdict | None = None, of: Container | None = None) -> list[Record]:
    origin = Origin(of or container(), None)
    return [
        Record(f"agent-1/boot-1/activity/{number}", f"2026-01-01T00:00:{number % 60:02}Z", HERE, event, origin, verdict)
        for number, event in enumerate(events)
    ]


def drafted(*events: Event, verdict: Verdict | None = None, gaps: Iterable[Gap] = ()) -> Draft:
    return of(recorded(events, verdict), gaps)


def of(records: Iterable[Record], gaps: Iterable[Gap] = ()) -> Draft:
    made = Behaviour()
    for record in records:
        made.see(record)
    for gap in gaps:
        made.see(Record("agent-1/boot-1/evidence/1", "", HERE, gap))
    return draft(WEB, made)


def spec(found: Draft) -> dict[str, object]:
    document: dict[str, dict[str, object]] = yaml.safe_load(found.policy)
    return document["spec"]


def allows(found: Draft, verb: str) -> object:
    return spec(found)[verb]["allow"]  # type: ignore[index]


def test_programs_are_named_and_what_the_image_has_is_one_word() -> None:
    found = drafted(
        exec_("/usr/sbin/nginx"), exec_("/bin/sh"), open_("/etc/nginx.conf", Layer.IMAGE), open_("/etc/b", Layer.IMAGE)
    )
    assert allows(found, "exec") == ["/bin/sh", "/usr/sbin/nginx"]
    assert allows(found, "read") == ["image"]
    assert allows(found, "load") == ["image"]
    assert allows(found, "egress") == []
    assert spec(found)["mode"] == "learn"


def test_it_selects_the_container_by_name_and_image() -> None:
    (policy,) = parse(drafted(exec_("/bin/sh")).policy, "p.yaml")
    assert policy.id == "shop/web"
    assert policy.selects(container())
    assert not policy.selects(container(image="registry.example.com/shop/other:1"))
    assert not policy.selects(container(name="db"))
    assert not policy.selects(container(namespace="edge"))


def test_peers_have_their_ports_and_names_stand_beside_them() -> None:
    found = drafted(replace(connect("192.0.2.7", 443), name="api.example.com"), connect("192.0.2.7", 80))
    assert allows(found, "egress") == [{"to": "192.0.2.7", "ports": ["80/tcp", "443/tcp"]}]
    assert "# api.example.com" in found.policy


def test_neighbours_are_a_network_only_where_many_of_them_are() -> None:
    few = drafted(*(connect(f"10.0.0.{host}") for host in (1, 2, 3)))
    assert [one["to"] for one in allows(few, "egress")] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]  # type: ignore[attr-defined]
    many = drafted(*(connect(f"10.0.0.{host}") for host in range(1, 12)))
    assert allows(many, "egress") == [{"to": "10.0.0.0/28", "ports": ["443/tcp"]}]


def test_many_ports_of_one_peer_are_a_range_and_loopback_needs_no_rule() -> None:
    found = drafted(connect("127.0.0.1"), *(connect("10.0.0.9", port, Protocol.UDP) for port in range(40000, 40010)))
    assert allows(found, "egress") == [{"to": "10.0.0.9", "ports": ["40000-40009/udp"]}]


def test_ports_that_were_opened_on_loopback_only_are_allowed_there_only() -> None:
    found = drafted(listen(80), listen(9000, "127.0.0.1"))
    assert allows(found, "listen") == [{"address": "127.0.0.1", "ports": ["9000/tcp"]}, "80/tcp"]


def test_unix_sockets_are_named() -> None:
    found = drafted(unix("/run/app.sock"), unix(abstract="bus-4711x"))
    assert allows(found, "egress") == ["unix:/run/app.sock", "unix:@bus-4711x"]


def test_temporary_names_and_many_siblings_are_patterns() -> None:
    found = drafted(write("/tmp/tmpab12cd34"), *(write(f"/var/cache/{name}") for name in "abcdefghijk"))
    assert allows(found, "write") == ["/tmp/tmp*", "/var/cache/*"]


def test_process_folders_are_no_process_s() -> None:
    found = drafted(open_("/proc/77/task/78/stat", Layer.PROC_SELF), open_("/proc/12/environ", Layer.PROC_OTHER))
    assert allows(found, "read") == ["image", {"path": "/proc/*/environ", "from": ["proc_other"]}, "/proc/self/task/*/stat"]


@pytest.mark.parametrize("session", [Session.EXEC, Session.RUNTIME])
def test_what_was_entered_from_outside_or_done_by_the_runtime_is_left_out_and_said(session: Session) -> None:
    found = drafted(exec_("/usr/sbin/nginx"), exec_("/bin/strange", by=actor(session)))
    assert allows(found, "exec") == ["/usr/sbin/nginx"]
    assert f"#   1 {session} sessions" in found.policy


def test_what_is_only_known_from_before_the_agent_is_said_to_be() -> None:
    found = drafted(exec_("/bin/old", by=actor(Session.STANDING)))
    assert (
        note_above(found, "- /bin/old")
        == "# only by processes that ran before the agent: they may have been entered from outside"
    )


def test_the_writable_layer_is_said_above_the_rule() -> None:
    found = drafted(exec_("/tmp/dropped", Layer.WRITABLE), write("/tmp/x", Layer.WRITABLE), write("/data/x", Layer.VOLUME))
    assert allows(found, "exec") == [{"path": "/tmp/dropped", "from": ["writable"]}]
    said = "# in the container's writable layer, not in the image"
    assert note_above(found, "- {path: /tmp/dropped, from: [writable]}") == said
    assert note_above(found, "- /tmp/x") == said
    assert note_above(found, "- /data/x") == "allow:"


def test_a_violation_of_a_policy_in_force_is_said_above_the_rule() -> None:
    refused = Verdict(
        Outcome.VIOLATION, "exec", Reason.EXEC_NOT_ALLOWED, Mode.ALERT, 1, "strict/exec/allow", "", "strict", Severity.HIGH
    )
    found = drafted(exec_("/bin/nc"), verdict=refused)
    assert note_above(found, "- /bin/nc") == "# was a violation of strict: exec.not_allowed, 1 times"
    learnt = drafted(exec_("/bin/nc"), verdict=replace(refused, mode=Mode.LEARN))
    assert note_above(learnt, "- /bin/nc") == "allow:"


def test_the_first_seconds_are_told_apart_where_it_is_plain() -> None:
    start = Handover(0, actor(Session.RUNTIME), 1)
    early = replace(exec_("/docker-entrypoint.sh"), time_ns=2 * SECOND_NS)
    later = replace(exec_("/usr/sbin/nginx"), time_ns=600 * SECOND_NS)
    found = of(recorded([start, early, later]))
    assert note_above(found, "- /docker-entrypoint.sh") == "# only in the first seconds after the container's start"
    assert note_above(found, "- /usr/sbin/nginx") == "allow:"
    short = of(recorded([start, early]))
    assert note_above(short, "- /docker-entrypoint.sh") == "allow:"


def test_a_flow_that_is_counted_later_is_not_of_the_start_alone() -> None:
    start = Handover(0, actor(Session.RUNTIME), 1)
    opened = replace(open_("/data/a", Layer.VOLUME), flow=b"f", time_ns=SECOND_NS)
    count = FlowCount(0, b"f", 7, Session.MAIN, 3, 40, 39, 0, 900 * SECOND_NS, 1, 1, "")
    (rule,) = (rule for rule in of(recorded([start, opened, count])).rules if rule.what == "/data/a")
    assert (rule.records, rule.times, rule.notes) == (1, 40, ())


def test_a_known_flow_that_was_judged_by_other_policies_meanwhile_did_nothing_new() -> None:
    opened = replace(open_("/data/a", Layer.VOLUME), flow=b"f")
    count = FlowCount(0, b"f", 7, Session.MAIN, 3, 40, 39, 0, 9, 1, 1, "")
    (rule,) = (rule for rule in of(recorded([opened, replace(opened, standing=True), count])).rules if rule.what == "/data/a")
    assert (rule.records, rule.times) == (2, 40)


def test_counts_of_what_no_rule_is_about_are_not_missing_a_first_sight() -> None:
    socket, peer = Socket(1, actor(), 17, 3, 0, b"s"), replace(connect("127.0.0.1"), flow=b"n")
    counts = [FlowCount(0, flow, 7, Session.MAIN, 7, 9, 8, 0, 2, 1, 1, "") for flow in (b"s", b"n", b"other")]
    assert of(recorded([socket, peer, *counts])).facts.not_used == {"counts without a first sight": 8}


def test_losses_of_that_time_make_it_partial() -> None:
    gaps = [Gap(5, 7, "budget", "open", 30, 1), Gap(90, 7, "ring", "exec", 1, 80), Gap(5, 0, "agent.down", "", -1, 1)]
    found = drafted(exec_("/bin/sh"), replace(exec_("/bin/sh"), time_ns=50), gaps=gaps)
    assert found.facts.partial == ("unknown number of all events: agent.down", "30 open events: budget")
    assert "# partial: " in found.policy


def test_what_no_rule_can_allow_is_said(  # a cut name, a mount of the workload's own
) -> None:
    found = drafted(open_("/x/cut", flags=Flag.CUT), open_("/mnt/own", Layer.NEW_MOUNT))
    assert [one.what for one in found.uncovered] == ["read /mnt/own", "read /x/cut"]
    assert "# not allowed by this policy, though it was seen" in found.policy


def test_hostile_names_stay_in_their_comment_and_in_their_quotes() -> None:
    evil = "/data/x\nmode: alert # \u202e\x1b[2J\"'{}[],&*!|>%@`"
    found = drafted(write(evil, Layer.VOLUME), replace(connect("10.0.0.1"), name="a\n  mode: alert"))
    assert spec(found)["mode"] == "learn"
    assert found.policy.isascii()
    assert "\x1b" not in found.policy
    assert [one.what for one in found.uncovered] == []


def test_long_strange_names_cost_the_others_nothing() -> None:
    faces = "\N{GRINNING FACE}" * 3000
    strange = [write(f"/{number}{faces}/x", Layer.VOLUME) for number in range(150)]
    found = drafted(*strange, write("/data/x", Layer.VOLUME))
    assert len(found.policy) < 1 << 20
    assert "/data/x" in allows(found, "write")  # type: ignore[operator]
    assert found.uncovered
    assert max(len(line) for line in found.policy.splitlines() if "#" in line) < 200


def test_more_subjects_than_there_is_room_for_make_it_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "SUBJECTS", 2)
    found = drafted(exec_("/bin/a"), exec_("/bin/b"), exec_("/bin/c"))
    assert found.facts.partial == ("1 more events: beyond 2 distinct subjects",)


def test_each_rule_names_its_records() -> None:
    found = drafted(exec_("/bin/sh"), exec_("/bin/sh"), exec_("/bin/ls"))
    (rule,) = (rule for rule in found.rules if rule.what == "/bin/sh")
    assert rule.ids == ("agent-1/boot-1/activity/0", "agent-1/boot-1/activity/1")


def note_above(found: Draft, line: str) -> str:
    """The line above a rule, or above the first of those with the same notes."""
    lines = [one.strip() for one in found.policy.splitlines()]
    at = lines.index(line)
    while lines[at].startswith("- "):
        at -= 1
    return lines[at]


def check(records: list[Record]) -> None:
    found = of(records)
    policies = parse(found.policy, "p.yaml")
    assert {one.code for one in lint(policies, {"p.yaml": found.policy})} == {Code.ONLY_LEARNS}, "as it is meant to"
    assert policies[0].selects(container())
    compiled = build([policies[0]], 1)
    events = [record.event for record in records if record.event.actor.session in (Session.MAIN, Session.STANDING)]  # type: ignore[union-attr]
    refused = [one for one in events if judge(compiled, one, Origin(container(), None)).outcome is Outcome.VIOLATION]
    assert all(may_be_refused(one) for one in refused)
    assert bool(refused) == bool(found.uncovered)
    assert of(records).policy == found.policy


def may_be_refused(event: object) -> bool:
    """A name that is not sure, or of a place that nobody vouches for; anonymous memory has no name at all but `memfd:…`."""
    files = [one for name in ("file", "script", "target") if (one := getattr(event, name, None)) is not None]
    unsure = Flag.CUT | Flag.UNSTABLE | Flag.DISCONNECTED | Flag.CLAIMED | Flag.OUTSIDE
    return any(one.flags & unsure or one.layer in (Layer.NEW_MOUNT, Layer.HOST, Layer.MEMFD) for one in files)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(*KINDS.values()), max_size=25))
def test_nothing_that_was_seen_is_a_violation_of_what_it_writes(events: list[SUBJECTS]) -> None:
    check(recorded(events))


SHORT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=3)
BUSY = st.lists(
    st.one_of(
        st.builds(lambda name, layer: write(f"/data/{name}", layer), SHORT, st.sampled_from(Layer)),
        st.builds(lambda one, two: open_(f"/srv/{one}/{two}", Layer.VOLUME), st.integers(0, 30), st.integers(0, 30)),
        st.builds(lambda one, port: connect(f"10.0.{one // 9}.{one}", port), st.integers(0, 40), st.sampled_from([80, 443])),
        st.builds(listen, st.integers(0, 40), st.sampled_from(["0.0.0.0", "127.0.0.1", "::1"])),  # noqa: S104
        st.builds(lambda name: exec_(f"/usr/bin/{name}"), st.integers(0, 99)),
    ),
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(BUSY)
def test_nor_of_many_alike(events: list[SUBJECTS]) -> None:
    check(recorded([one for one in events if is_path(one)]))


def is_path(event: SUBJECTS) -> bool:
    """Names as the kernel gives them: no `/` in one, neither `.` nor `..`."""
    path = event.file.path if getattr(event, "file", None) else "/x"  # type: ignore[union-attr]
    return all(name not in ("", ".", "..") for name in path[1:].split("/"))
