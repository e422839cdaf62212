"""A recording of one host is replayed elsewhere, by an ordinary user, with the same result."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from agent.sensor.layout import PREFIX_KEY
from model.event import FlowCount, Gap, Program
from model.record import Record
from tests.containers.programs import PROJECT
from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.failures.agents import ORDINARY
from tests.failures.conftest import MakeAgent, policy
from tests.failures.ledger import Ledger, tag

RULES = policy("both", "exec: {allow: [/bin/busybox]}\n  read: {deny: [/etc/secret]}")


def test_a_replay_by_an_ordinary_user_gives_the_same_records(make_agent: MakeAgent, box: MakeBox, folder: Path) -> None:
    agent, recording = make_agent({"a.yaml": RULES}), folder / "recording"
    agent.start("--record", str(recording))
    one = box(Recipe())
    one.exec("cat", "/etc/secret")
    one.exec("/usr/bin/quiet")
    one.exec("/usr/bin/bulk", "open-cold", "2500")
    assert agent.end() == 0, agent.said
    folder.chmod(0o777)
    recording.chmod(0o644)  # it was root's alone: given to somebody else
    command = [sys.executable, "-m", "agent", "replay", str(recording), "--policies", str(agent.rules), "--output", "none"]
    done = subprocess.run(
        [*ORDINARY, *command, "--log", str(folder / "log")], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    live, replayed = Ledger(agent.log, one.name), Ledger(folder / "log", one.name)
    assert Counter(map(_told, filter(_is_replayed, live.records))) == Counter(map(_told, replayed.records))
    assert {(one.reason, one.subject) for one in live.findings} == {(one.reason, one.subject) for one in replayed.findings}
    assert {"read.denied", "exec.not_allowed"} <= {one.reason for one in replayed.findings}


def _told(record: Record) -> tuple[object, ...]:
    """What must be the same: kind, time, file, container, process, verdict."""
    event, origin, verdict = record.event, record.origin, record.verdict
    assert origin is not None
    who = origin.container.id, origin.process and origin.process.path
    said = verdict and (verdict.outcome, verdict.reason, verdict.rule)
    if isinstance(event, FlowCount):  # a sweep's own time is not recorded
        return tag(event), event.flow, event.count, event.added, event.last_ns
    return tag(event), event.time_ns, getattr(event, "file", None), who, said


def _is_replayed(record: Record) -> bool:
    """Not what the agent lost, and what its worker read; nor the counts of whole folders, which it reads from a map."""
    event = record.event
    return not isinstance(event, Gap | Program) and not (isinstance(event, FlowCount) and len(event.flow) == PREFIX_KEY.size)
