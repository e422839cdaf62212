"""Disks that are full, folders that vanish, files that are wrong: the agent goes on, and says what that cost."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.event import Exec, Gap
from tests.containers.runc import Box, MakeBox
from tests.failures.agents import Agent, metric, page
from tests.failures.conftest import MakeAgent, policy
from tests.failures.ledger import Ledger, wait

KIB = 1 << 10
SMALL = {"evidence_bytes": 512 * KIB, "activity_bytes": 64 << 20, "file_bytes": 256 * KIB, "activity_queue_bytes": 64 * KIB}
NO_SECRET = policy("no-secret", "read: {deny: [/etc/secret]}")
BROKEN = policy("broken", "read: {denny: [/etc/secret]}")


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A filesystem of two MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def gaps(agent: Agent, place: str) -> list[Gap]:
    return [gap for gap in Ledger(agent.log).events(Gap) if gap.place == place]


def read_secret(box: Box) -> None:
    assert box.exec("cat", "/etc/secret").out == "secret\n"


def quiet(agent: Agent, box: Box) -> list[Exec]:
    return [event for event in Ledger(agent.log, box.name).events(Exec) if event.file.path == "/usr/bin/quiet"]


def holes(agent: Agent) -> int:
    """How many indexes of activity's records are missing: each was a record that is lost."""
    ids = [record.id.split("/") for record in Ledger(agent.log).records]
    indexes = [int(index) for _, _, log, index in ids if log == "activity"]
    return 1 + max(indexes) - len(indexes)


def secrets_found(agent: Agent, box: Box) -> int:
    """How many findings there are of it."""
    return sum(1 for one in Ledger(agent.log, box.name).findings if one.subject == "/etc/secret")


def test_a_full_disk_is_said_and_what_had_no_room_is_counted(make_agent: MakeAgent, box: MakeBox, disk: Path) -> None:
    agent = make_agent(log={"folder": str(disk / "log"), **SMALL}, metrics={"port": 0})
    agent.start()
    one = box()
    port = wait(agent.port, "its port is told")
    filler = disk / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True)
    one.exec("/usr/bin/bulk", "exec", "2000")
    assert wait(lambda: metric(port, 'vedette_lost_total{kind="exec",place="log.activity"}'), "what has no room is counted") > 0
    wait(lambda: "log activity: ENOSPC" in page(port, "readyz"), "it is not ready")
    wait(lambda: "the log activity can't be written" in agent.said, "it says so")
    filler.unlink()
    wait(lambda: gaps(agent, "log.activity"), "the gap is told")
    wait(lambda: page(port, "readyz").startswith("ok"), "it is ready again")
    one.exec("/usr/bin/quiet")  # a record behind the hole
    assert agent.end() == 0, agent.said
    assert Ledger(agent.log).damaged == []
    lost = sum(gap.count for gap in gaps(agent, "log.activity"))
    assert lost == holes(agent)
    assert lost + len(quiet(agent, one)) >= 2000


def test_what_a_full_disk_does_not_take_at_the_end_is_said(make_agent: MakeAgent, box: MakeBox, disk: Path) -> None:
    agent = make_agent(log={"folder": str(disk / "log"), **SMALL})
    agent.start()
    one = box()
    subprocess.run(["dd", "if=/dev/zero", f"of={disk / 'filler'}", "bs=64k"], capture_output=True)
    one.exec("/usr/bin/bulk", "exec", "20")
    assert agent.end() == 0, agent.said
    assert "records are not written" in agent.said


def test_a_log_folder_that_goes_costs_what_it_held_and_nothing_else(start_agent: MakeAgent, box: MakeBox) -> None:
    agent, one = start_agent(), box()
    one.exec("/usr/bin/quiet")
    wait(lambda: quiet(agent, one), "it is recorded")
    shutil.rmtree(agent.log)
    agent.log.write_text("in the way")
    one.exec("/usr/bin/bulk", "exec", "20")
    wait(lambda: "can't be written" in agent.said, "it says so")
    agent.log.unlink()
    wait(lambda: len(quiet(agent, one)) == 20, "what was kept in memory is written to a new folder")
    assert {gap.what for gap in wait(lambda: gaps(agent, "log.activity"), "the loss is told")} == {"removed"}
    wait(lambda: agent.port() and agent.status()["ready"], "it is ready")


def test_when_the_policies_vanish_or_break_the_last_ones_stay_and_it_is_said(start_agent: MakeAgent, box: MakeBox) -> None:
    agent, one = start_agent({"a.yaml": NO_SECRET}), box()
    (agent.rules / "b.yaml").write_text(BROKEN)
    (error,) = wait(lambda: agent.status()["policies"]["errors"], "the error is shown")
    assert error.startswith(f"{agent.rules}/b.yaml:6:10: ")
    read_secret(one)
    wait(lambda: secrets_found(agent, one) == 1, "the policy stays in force")
    shutil.rmtree(agent.rules)
    wait(lambda: "the policy folder is gone" in "".join(agent.status()["policies"]["errors"]), "the folder is missed")
    two = box()
    read_secret(two)
    wait(lambda: secrets_found(agent, two) == 1, "the policy stays in force")
    assert agent.status()["policies"]["count"] == 1
    said = [note.says.get("first", "") for note in agent.notes("policies")]
    assert any("denny" in text for text in said)
    assert any("the policy folder is gone" in text for text in said)
    agent.rules.mkdir()
    (agent.rules / "a.yaml").write_text(NO_SECRET.replace("/etc/secret", "/etc/benign"))
    wait(lambda: not agent.status()["policies"]["errors"], "a folder that comes back is read")
    one.exec("cat", "/etc/benign")
    wait(lambda: [f for f in Ledger(agent.log, one.name).findings if f.subject == "/etc/benign"], "the new policy is in force")
