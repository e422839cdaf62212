"""A call that is wrong: exit code 2, one message that says where and what, and no traceback. Alike in every verb."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.__main__ import app

# The call, below a folder that holds the files of `given`, and how its message begins.
WRONG = {
    "an output that is none": ("run --output paper", "command line: output: Input should be 'auto', 'lines', "),
    "a port that is none": ("run --port 99999", "command line: metrics.port: Input should be less than"),
    "a runtime's folder without its kind": ("run --runtime-root x", "command line: node.runtime_roots.0: "),
    "policies that aren't there": ("run --policies none", "command line: policies.folder: there is no such file"),
    "policies of a replay": ("replay noise --policies none", "command line: policies.folder: there is no such file"),
    "policies to explain by": ("explain activity/1 --policies none", "command line: policies.folder: there is no such"),
    "settings that aren't there": ("run --settings none", "none: there is no such file"),
    "settings that can't be read": ("status --settings folder", "folder: can't be read: Is a directory"),
    "settings that are none": ("replay noise --settings noise", "noise:1:4: not YAML: "),
    "a log that is a file": ("run --log noise --policies folder --port 0", "noise: File exists\nhint: "),
    "a recording in no folder": ("run --record none/new --log log", "none/new: No such file or directory\nhint: "),
    "a recording that is there": ("run --record noise --log log", "noise: File exists\nhint: "),
    "a recording that isn't there": ("replay none", "none: No such file or directory\nhint: "),
    "a folder to judge again without a log in it": ("replay folder --policy noise", "folder: no log in it\nhint: "),
    "a log to judge again by nothing": ("replay log.jsonl", "log.jsonl is a log: name the policies to judge it by\nhint: "),
    "options of a recording for a log": ("replay log.jsonl --output none", "log.jsonl is a log: some of these options"),
    "options of a log for a recording": ("replay noise --policy noise", "noise is a recording: some of these options"),
    "policies to judge by that aren't there": ("replay log.jsonl --policy none", "none: no such file or folder\nhint: "),
    "a container of no log": ("init web --log folder", "folder: no log in it\nhint: "),
    "a container that isn't there": ("init web --log log.jsonl", "web: log.jsonl has no record of such a container\nhint: "),
    "a recording that is none": ("replay noise", "noise: not a recording of vedette"),
    "an id that is none": ("explain nonsense", "nonsense: not the id of a record\nhint: "),
    "an id of no log": ("explain a/b/nowhere/1", "a/b/nowhere/1: not the id of a record\nhint: "),
    "an id that steers a terminal": ("explain \x1b[2J", r"\u001b[2J: not the id of a record"),
    "policies to check that aren't there": ("check folder none gone", "no such file or folder: none, gone\nhint: "),
    "nothing to check": ("check folder", "no policy file in folder\nhint: "),
}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "noise").write_text("a: ]\n")
    (tmp_path / "log.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(words: Sequence[str]) -> Result:
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(("words", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_refused_in_one_message(given: Path, words: str, says: str) -> None:
    told = call(words.split(" "))
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith(f"vedette: {says}")
    assert len(told.stderr.splitlines()) <= 2


@pytest.mark.parametrize("words", ["run --record none/new --log log", "run --log log --policies folder --port 1"])
def test_an_agent_that_could_not_be_made_leaves_nothing_running(given: Path, words: str) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert call(words.replace("--port 1", f"--port {taken.getsockname()[1]}").split()).exit_code == 2
    assert set(threading.enumerate()) == before
    assert "stop" not in "".join(file.read_text() for file in (given / "log").glob("evidence-*"))


@pytest.mark.parametrize("words", ["", "nonsense", "run --nonsense", "run --port many", "check", "explain"])
def test_what_the_command_line_does_not_know_is_refused_likewise(words: str) -> None:
    told = call(words.split())
    assert told.exit_code == 2
    assert "Usage: " in told.output


def test_what_is_looked_at_and_isn_t_there_is_code_one(given: Path) -> None:
    told = call(["explain", "a/b/activity/1", "--log", "folder"])
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("vedette: no record a/b/activity/1 in folder\nhint: ")
