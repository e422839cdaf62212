"""The policies change under a running agent: what is known and what runs is held against the new ones, and nothing is lost."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agent.novelty import FIRST
from agent.outputs.stamp import boot_ns
from model.event import FlowCount, Net, Open
from model.record import Note
from tests.agent.conftest import MakeNamedBox, StartAgent
from tests.agent.daemon import SWEEP_S, Daemon
from tests.agent.sight import PATIENCE_S, Book, Sight
from tests.containers.runc import Box

FILE = "/etc/secret"
KNOWN_S = 2.0  # from the file to the finding
WIDE = {"flows": 30_000, "rate": 60_000, "burst": 60_000}
USERS, FILES = 5, 2000
SERVER = ("/bin/busybox", "httpd", "-f", "-p", "8123")
POLICY = """apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: {name}}}
spec:
  select: {{containers: {{names: ["plain-*"]}}}}
  {verbs}
"""
APART = 'read: {deny: ["/data/**/never"]}'  # so that no folder below is answered for as a whole


@dataclass
class Live:
    """An agent of its own whose policies a test changes."""

    daemon: Daemon
    agent: Sight

    def says(self, name: str, verbs: str) -> int:
        """Another policy, as a file; when it was written (boot time)."""
        (self.daemon.rules / f"{name}.yaml").write_text(POLICY.format(name=name, verbs=verbs))
        return boot_ns()

    def unsays(self, name: str) -> None:
        (self.daemon.rules / f"{name}.yaml").unlink()

    def judged(self, generation: int) -> Note:
        """The note that all that was known is judged by this generation."""
        return self._until(lambda: [one for one in self.daemon.notes("rejudged") if one.says["generation"] == generation])[0]

    def _until(self, look: Callable[[], list[Note]]) -> list[Note]:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := look()):
            assert time.monotonic() < deadline, self.daemon.said
            time.sleep(0.02)
        return found


@pytest.fixture
def live(agent_of_its_own: StartAgent) -> Iterator[Live]:
    yield from started(agent_of_its_own)


@pytest.fixture
def forgetful(agent_of_its_own: StartAgent) -> Iterator[Live]:
    """Flows that were idle for a second are forgotten."""
    sensor = {"sweep_interval_s": SWEEP_S, "all_counts_s": 0, "idle_flow_s": 1}
    yield from started(agent_of_its_own, sensor=sensor)


def started(start: StartAgent, **settings: Any) -> Iterator[Live]:
    own = start({"apart.yaml": POLICY.format(name="apart", verbs=APART)}, budgets={"open": WIDE}, **settings)
    yield Live(own, Sight(Book(own.log), boot_ns()))
    assert "Traceback" not in own.said, own.said


def known(live: Live, box: Box, path: str) -> bytes:
    """Open it, until the kernel only counts it; its flow."""
    box.attack("open", path)
    flow: bytes = live.agent.sees(box, Open, path=path).event.flow  # type: ignore[union-attr]
    live.agent.settled(box)
    box.attack("open", path)
    assert len(live.agent.records(box, Open, path=path)) == 1
    return flow


def test_a_known_open_that_becomes_denied_is_a_finding_without_being_opened_again(live: Live, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    flow = known(live, box, FILE)
    since_ns = live.says("secret", f"read: {{deny: [{FILE}]}}")
    found = live.agent.finding(box, "read.denied", subject=FILE)
    record = live.agent.sees(box, Open, path=FILE, reason="read.denied")
    assert (found.standing, found.count, record.event.flow) == (True, 1, flow)  # type: ignore[union-attr]
    assert (record.event.time_ns - since_ns) / 1e9 < KNOWN_S
    live.judged(2)
    for _ in range(3):
        box.attack("open", FILE)
    live.agent.settled(box)
    assert live.daemon.end() == 0
    counts = [one.count for one in live.agent.findings(box) if one.subject == FILE]
    assert counts == [1, 1 + 3], "the opens before the change are in none"


def test_a_violation_that_becomes_allowed_makes_no_more_findings(live: Live, a_box: MakeNamedBox) -> None:
    live.says("secret", f"read: {{deny: [{FILE}]}}")
    live.judged(2)
    box = a_box("plain")
    known(live, box, FILE)
    live.agent.finding(box, "read.denied", subject=FILE)
    live.unsays("secret")
    note = live.judged(3)
    assert note.says["allowed"] == 1
    for _ in range(5):
        box.attack("open", FILE)
    live.agent.settled(box)
    assert live.daemon.end() == 0
    assert [one.count for one in live.agent.findings(box) if one.subject == FILE] == [1, 2]


def test_a_listening_port_that_becomes_forbidden_is_a_finding(live: Live, a_box: MakeNamedBox) -> None:
    listens_is_found(live, a_box("plain", args=SERVER))


def test_also_one_that_listened_so_long_that_its_flow_is_forgotten(forgetful: Live, a_box: MakeNamedBox) -> None:
    box = a_box("plain", args=SERVER)
    flow = forgetful.agent.sees(box, Net, port=8123).event.flow  # type: ignore[union-attr]
    forgetful.agent.sees(box, FlowCount, flow=flow, final=True)
    listens_is_found(forgetful, box)


def listens_is_found(live: Live, box: Box) -> None:
    live.agent.sees(box, Net, port=8123)
    live.agent.settled(box)
    live.says("ports", "listen: {allow: [80/tcp]}")
    found = live.agent.finding(box, "listen.not_allowed")
    assert (found.standing, ":8123/tcp" in found.subject) == (True, True)


def test_a_running_program_that_becomes_forbidden_is_a_finding_once(live: Live, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    box.exec("sh", "-c", "printf '#!/bin/busybox sh\necho ready\nread line\n' > /opt/run; chmod 755 /opt/run")
    running = box.popen("/opt/run")
    assert running.stdout
    assert running.stdout.readline() == b"ready\n"
    live.agent.settled(box)
    live.says("programs", "exec: {deny: [/opt/run]}")
    found = live.agent.finding(box, "exec.denied", subject="/opt/run")
    assert (found.standing, found.session) == (True, "exec")
    assert live.judged(2).says["standing"] == 1
    live.says("more", "exec: {deny: [/opt/other]}")
    assert live.judged(3).says["standing"] == 0
    running.communicate(b"\n", timeout=20)


def test_a_folder_that_was_answered_for_as_a_whole_is_judged_file_by_file_where_the_new_policies_need_it(
    live: Live, a_box: MakeNamedBox
) -> None:
    box = a_box("plain")

    def writes(first: int, last: int) -> None:
        box.exec("sh", "-c", f"mkdir -p /opt/many; for i in $(seq {first} {last}); do echo > /opt/many/$i; done")

    writes(1, 4 * FIRST)
    live.agent.settled(box)
    writes(1000, 1100)
    live.agent.sees(box, FlowCount, text="/opt/many")
    live.says("elsewhere", "write: {deny: [/opt/other]}")
    live.judged(2)
    writes(2000, 2100)
    live.agent.settled(box)
    assert live.agent.records(box, Open, path="/opt/many/2050") == [], "the answer stands"
    live.says("one", "write: {deny: [/opt/many/1050]}")
    live.judged(3)
    writes(1000, 1100)
    found = live.agent.finding(box, "write.denied", subject="/opt/many/1050")
    assert not found.standing, "what was counted below the folder had no name"


def test_a_change_is_a_note_with_what_changed_and_what_became_of_it(live: Live, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    known(live, box, FILE)
    live.says("secret", f"read: {{deny: [{FILE}]}}")
    judged = live.judged(2)
    (note,) = [one for one in live.daemon.notes("policies") if one.says.get("generation") == 2]
    assert (note.says["before"], note.says["added"], note.says["removed"], note.says["changed"]) == (1, ["secret"], [], [])
    assert (judged.says["violation"], judged.says["news"]) == (1, 0)
    assert judged.says["same"] > 0
    (live.daemon.rules / "secret.yaml").write_text("kind: [")
    deadline = time.monotonic() + PATIENCE_S
    while not live.daemon.notes("policies")[-1].says.get("errors"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "policies have errors" in live.daemon.said
    assert len(live.daemon.notes("rejudged")) == 1, "a bad file changes nothing"


def test_ten_thousand_flows_are_judged_again_while_they_are_used_and_no_open_is_lost(live: Live, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    opens = 0
    for user in range(USERS):
        for _ in range(2):
            assert box.exec("/usr/bin/bulk", "open-cold", str(FILES), user=user).code == 0
            opens += FILES
    live.agent.settled(box)
    running = [box.popen("/usr/bin/bulk", "open-cold", str(FILES * 100), user=user) for user in range(2)]
    opens += 2 * FILES * 100
    live.says("one", "read: {deny: [/data/d00/f0000]}")
    note = live.judged(2)
    for one in running:
        one.communicate(timeout=60)
        assert one.returncode == 0
    assert note.says["violation"] == USERS
    assert note.says["same"] >= USERS * FILES - USERS
    assert (note.says["news"], note.says["took_s"] < KNOWN_S) == (0, True), note.says
    live.agent.settled(box)
    assert live.daemon.end() == 0
    assert counted(live.agent, box) == opens


def counted(agent: Sight, box: Box) -> int:
    """All opens below /data: of each flow its last count, or the one that was its first sight."""
    firsts = {one.event.flow for one in agent.records(box, Open, path=lambda path: path.startswith("/data/"))}  # type: ignore[union-attr]
    last = {one.event.flow: one.event.count for one in agent.records(box, FlowCount)}  # type: ignore[union-attr]
    assert len(firsts) == USERS * FILES
    return sum(last.get(flow, 1) for flow in firsts)
