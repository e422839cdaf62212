"""Findings: told once, then counted, and never more than their bounds."""

from collections import Counter

import pytest
from msgspec import structs

from agent.outputs.findings import Findings
from agent.outputs.workload import fingerprint, subject_of, workload
from model.event import Access, Direction, Event, Left, Many, Privilege, Session
from model.origin import Container
from model.record import Finding
from model.verdict import Mode, Reason, Verdict
from tests.outputs.builders import (
    ALLOWED,
    SECOND_NS,
    T0,
    actor,
    container,
    exec_,
    file,
    flow_count,
    gap,
    in_pod,
    net,
    open_,
    origin,
    stamp,
    violation,
)

WINDOW_S = 600.0
DENIED = violation(Reason.READ_DENIED)


class Desk:
    """Findings with everything that they told."""

    def __init__(self, limit: int = 2048) -> None:
        self.stamp = stamp()
        self.told: list[Finding] = []
        self.findings = Findings(self.stamp, self.told.append, window_s=WINDOW_S, limit=limit)

    def see(self, event: Event, verdict: Verdict | None = None, of: Container | None = None) -> str:
        record = self.stamp.record(event, origin(of), verdict)
        self.findings.write(record)
        return record.id

    def counts(self) -> list[int]:
        return [finding.count for finding in self.told]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_violation_is_told_at_once_with_all_that_people_need(desk: Desk) -> None:
    record = desk.see(exec_("/tmp/x"), violation())
    (finding,) = desk.told
    assert (finding.reason, finding.severity, finding.subject) == ("exec.not_allowed", "high", "/tmp/x")
    assert (finding.policy, finding.rule, finding.source) == ("web", "web/exec", "rules/web.yaml:4:3")
    assert (finding.container, finding.image) == ("web", "docker.io/library/nginx:1.27")
    assert (finding.session, finding.lineage, finding.count, finding.record) == ("main", ("/usr/sbin/nginx",), 1, record)
    assert finding.id.endswith("/evidence/0")


def test_the_same_again_is_counted_and_told_once_more_at_the_windows_end(desk: Desk) -> None:
    for second in range(50):
        desk.see(exec_("/tmp/x", T0 + second * SECOND_NS), violation())
    desk.findings.tick(T0 + 599 * SECOND_NS)
    assert desk.counts() == [1]
    desk.findings.tick(T0 + 600 * SECOND_NS)
    assert desk.counts() == [1, 50]
    assert desk.told[0].fingerprint == desk.told[1].fingerprint
    assert desk.told[0].id != desk.told[1].id


def test_a_violation_that_stays_alone_is_told_once(desk: Desk) -> None:
    desk.see(exec_("/tmp/x"), violation())
    desk.findings.tick(T0 + 601 * SECOND_NS)
    assert desk.counts() == [1]


def test_after_the_window_it_is_told_again(desk: Desk) -> None:
    desk.see(exec_("/tmp/x"), violation())
    desk.see(exec_("/tmp/x", T0 + 601 * SECOND_NS), violation())
    assert desk.counts() == [1, 1]


def test_a_replaced_container_raises_no_second_finding(desk: Desk) -> None:
    desk.see(exec_("/tmp/x"), violation(), in_pod("web-7d9c5b6f48-x2k9z"))
    replaced = structs.replace(
        in_pod("web-7d9c5b6f48-zzz4b"), id="cd" * 32, cgroup=100, image="docker.io/library/nginx:1.27@sha256:def"
    )
    desk.see(exec_("/tmp/x"), violation(), replaced)
    assert desk.counts() == [1]
    desk.findings.close()
    assert desk.counts() == [1, 2]


@pytest.mark.parametrize(
    "changed",
    [
        lambda desk: desk.see(exec_("/tmp/y"), violation()),
        lambda desk: desk.see(exec_("/tmp/x"), violation(rule="web/exec/deny/1")),
        lambda desk: desk.see(exec_("/tmp/x"), violation(), container(image="redis:7")),
        lambda desk: desk.see(exec_("/tmp/x"), violation(), in_pod("web-0", "other")),
    ],
    ids=["subject", "rule", "image", "namespace"],
)
def test_another_subject_rule_image_or_namespace_is_another_finding(desk: Desk, changed: object) -> None:
    desk.see(exec_("/tmp/x"), violation())
    changed(desk)  # type: ignore[operator] # parametrised by functions
    assert desk.counts() == [1, 1]


def test_parts_of_a_fingerprint_do_not_shift_into_each_other() -> None:
    assert fingerprint(None, "a", "bc") != fingerprint(None, "ab", "c")
    assert fingerprint(None, "a\0", "b") != fingerprint(None, "a", "\0b")


def test_in_mode_learn_it_is_counted_and_never_told(desk: Desk) -> None:
    desk.see(exec_("/tmp/x"), violation(mode=Mode.LEARN))
    desk.findings.close()
    assert desk.told == []
    assert desk.findings.learned == {"exec.not_allowed": 1}


def test_the_runtimes_own_steps_are_never_a_finding(desk: Desk) -> None:
    desk.see(exec_("/proc/self/fd/6", session=Session.RUNTIME), violation())
    desk.see(Left(T0, actor(Session.RUNTIME), 5))
    assert desk.told == []


def test_what_is_allowed_is_no_finding(desk: Desk) -> None:
    desk.see(exec_(), ALLOWED)
    desk.see(open_())
    assert desk.told == []


def test_the_kernels_counts_of_a_violating_flow_are_added_exactly(desk: Desk) -> None:
    desk.see(open_(), DENIED)  # the first sight: 1 in the kernel's count
    desk.see(flow_count(10))
    desk.see(open_(time_ns=T0 + 1), DENIED)  # sent again: the kernel's 11th
    desk.see(flow_count(11))
    desk.see(flow_count(25, final=True))
    desk.findings.close()
    assert desk.counts() == [1, 25]


def test_a_flow_that_goes_on_after_its_window_is_told_again_with_what_came_since(desk: Desk) -> None:
    desk.see(open_(), DENIED)
    desk.see(flow_count(10))
    desk.findings.tick(T0 + 600 * SECOND_NS)
    desk.see(flow_count(17, time_ns=T0 + 601 * SECOND_NS))
    assert desk.counts() == [1, 10, 7]


def test_a_flow_that_was_never_sent_is_a_finding_from_its_count(desk: Desk) -> None:
    desk.see(structs.replace(flow_count(5), text="/etc/shadow"), DENIED)
    assert [(finding.subject, finding.count) for finding in desk.told] == [("/etc/shadow", 5)]


def test_a_flood_of_subjects_is_one_finding_with_an_exact_count() -> None:
    desk = Desk(limit=20)
    for number in range(1000):
        desk.see(exec_(f"/tmp/{number}"), violation())
    desk.see(exec_("/tmp/x"), violation(), container(name="other"))
    desk.findings.close()
    reasons = Counter(finding.reason for finding in desk.told)
    assert reasons == {"exec.not_allowed": 10 + 1, "flood": 2}, "half of the table is one workload's; another one is still told"
    assert desk.counts()[-1] == 1000 - 10 == desk.findings.refused


def test_a_table_that_many_workloads_fill_counts_the_rest_in_one_finding() -> None:
    desk = Desk(limit=20)
    for number in range(300):
        desk.see(exec_("/tmp/x"), violation(), container(name=f"web{number}"))
    desk.findings.close()
    floods = [finding for finding in desk.told if finding.reason == "flood"]
    assert [finding.count for finding in floods] == [1, 280]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Privilege(T0, actor(), 1000, 0, 1 << 21), "privilege.escalation"),
        (Left(T0, actor(), 5), "container.left"),
        (gap("budget", "open", 1234), "flood"),
    ],
)
def test_what_is_a_finding_by_itself(desk: Desk, event: Event, reason: str) -> None:
    desk.see(event)
    assert [finding.reason for finding in desk.told] == [reason]


def test_folders_below_which_files_are_only_counted_are_one_flood_with_their_count(desk: Desk) -> None:
    for folder in ("a", "b"):
        desk.see(Many(T0, actor(), file(f"/data/{folder}"), Access.READ, folder.encode() * 40))
        desk.see(flow_count(300, folder.encode() * 40))
    desk.findings.close()
    assert {(one.reason, one.fingerprint) for one in desk.told} == {("flood", desk.told[0].fingerprint)}
    assert desk.counts() == [1, 600]


def test_a_floods_finding_counts_what_was_not_itemised(desk: Desk) -> None:
    desk.see(gap("budget", "open", 1234))
    desk.see(gap("budget", "open", 66))
    desk.findings.close()
    assert desk.counts() == [1234, 1300]


def test_a_gap_elsewhere_is_no_finding(desk: Desk) -> None:
    desk.see(gap("ring.novelty"))
    assert desk.told == []


def test_a_program_in_a_container_that_nobody_names_is_a_finding(desk: Desk) -> None:
    path = "/kubepods/pod0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f/" + "0" * 64
    nobody = Container(99, path, "", "", "", "unidentified")
    desk.see(exec_(), None, nobody)
    assert [finding.reason for finding in desk.told] == ["identity.unidentified"]
    assert workload(nobody) == "/kubepods/pod*/*"


def test_a_record_without_origin_can_be_a_finding(desk: Desk) -> None:
    desk.findings.write(desk.stamp.record(Left(T0, actor(), 5)))
    assert [finding.container for finding in desk.told] == ["cgroup 99"]


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        ("web-7d9c5b6f48-x2k9z", "web"),
        ("db-0", "db"),
        ("agent-x2k9z", "agent"),
        ("plain", "plain"),
        ("job-28734560-x2k9z", "job"),
    ],
)
def test_a_pods_owner_is_its_name_without_what_controllers_add(pod: str, owner: str) -> None:
    assert workload(in_pod(pod)) == f"shop/{owner}/web docker.io/library/nginx:1.27"


def test_a_container_named_by_its_id_is_known_by_its_image() -> None:
    assert workload(container(name="ab" * 32)) == "docker.io/library/nginx:1.27"
    assert workload(container(name="ab" * 32, image="")) == "ab" * 32, "plain runc: nothing else names it"


def test_subjects_of_connections() -> None:
    assert subject_of(net()) == "192.0.2.7:443/tcp"
    assert subject_of(net("2001:db8::1")) == "[2001:db8::1]:443/tcp"
    arrived = structs.replace(net(direction=Direction.INGRESS), local_port=80)
    assert subject_of(arrived) == "192.0.2.7 to port 80/tcp"
