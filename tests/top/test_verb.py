"""`vedette top` for programs, and when it can't be done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.outputs.stamp import boot_ns
from agent.top.choice import Choice
from agent.top.columns import COLUMNS
from agent.top.snapshot import Row, Snapshot
from agent.verbs.top import top as verb
from tests.outputs import builders
from tests.project.tree import ROOT
from tests.top.builders import DB, WEB, FakeAgent

PAGE = (ROOT / "docs" / "how-to" / "watch-live.md").read_text


def top(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "agent", "top", *arguments]
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.fixture
def agent(tmp_path: Path) -> FakeAgent:
    made = FakeAgent(tmp_path / "log")
    made.status(WEB, DB)
    made.write(*(builders.open_(f"/var/{number}", boot_ns()) for number in range(20)))
    made.log.close()
    return made


def test_where_there_is_no_terminal_the_table_is_printed_once(agent: FakeAgent) -> None:
    told = top("--log", str(agent.folder))
    assert (told.returncode, told.stderr) == (0, "")
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("web")]
    assert line.split() == ["web", "docker.io/library/nginx:1.27", "2.0", "2.0", "0", "0", "0", "0"]
    assert "\x1b" not in told.stdout


def test_json_is_one_snapshot_a_line(agent: FakeAgent) -> None:
    told = top("--log", str(agent.folder), "--json", "--count", "2", "--window", "20")
    one, two = map(json.loads, told.stdout.splitlines())
    assert [row["name"] for row in one["containers"]] == ["web", "db"]
    assert one["containers"][0]["events_per_s"] == 1.0
    assert one["time"] < two["time"]


def test_nobody_who_reads_on_is_no_error(agent: FakeAgent) -> None:
    command = f"{sys.executable} -m agent top --json --log {agent.folder} | head -1"
    told = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")


def test_without_an_agent_it_says_how_to_have_one(tmp_path: Path, agent: FakeAgent) -> None:
    agent.status(pid=2**22 + 1)
    for folder in (tmp_path / "none", tmp_path, agent.folder):
        told = top("--log", str(folder))
        assert told.returncode == 2
        assert told.stderr.startswith(f"vedette: {folder}: no ")
        assert "hint: start one with `vedette run`" in told.stderr


def test_a_column_that_is_none_is_refused_with_those_that_are(agent: FakeAgent) -> None:
    told = top("--log", str(agent.folder), "--sort", "colour")
    assert told.returncode == 2
    assert "the columns are: name, image, events" in told.stderr


def test_an_account_of_another_version_that_can_t_be_read_is_said_and_no_reason_to_end(agent: FakeAgent) -> None:
    agent.status(WEB, up_s="long")
    assert "its account can't be read" in top("--log", str(agent.folder)).stdout


def test_a_log_that_this_user_may_not_read_is_said_with_a_hint(agent: FakeAgent, capsys: pytest.CaptureFixture[str]) -> None:
    (agent.folder / "status.json").chmod(0o600)
    for parent in agent.folder.parents[:3]:
        parent.chmod(0o755)
    os.seteuid(65534)
    try:
        code = verb(None, {"log.folder": agent.folder}, Choice(), window_s=10, count=1, as_json=True)
    finally:
        os.seteuid(0)
    assert code == 2
    assert "Permission denied\nhint: run it as root" in capsys.readouterr().err


def test_every_column_and_every_field_is_explained() -> None:
    page = PAGE()
    assert [column.title for column in COLUMNS if f"`{column.title}`" not in page] == []
    fields = {*Row.__struct_fields__, *Snapshot.__struct_fields__}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []
