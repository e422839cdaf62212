"""Bytes that nobody should trust: in the logs, recordings and runtime files, and on the screen of whoever watches."""

import os
import pty
import random
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.outputs.reading import Damaged, read
from agent.outputs.spool import files_of
from agent.outputs.stamp import ACTIVITY, EVIDENCE
from agent.sensor.recording import Header, Recorder
from model.event import Exec
from tests.containers.programs import PROJECT
from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.failures.agents import Agent
from tests.failures.conftest import MakeAgent
from tests.failures.ledger import Ledger, wait

NOISE = random.Random(11).randbytes(200_000)  # noqa: S311 - the same in every run
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x08\r\u202e\u2066"  # title, clear, colour in C1, backspace, text from right to left
OUR_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def vedette(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A verb of the command line, to its end."""
    return subprocess.run([sys.executable, "-m", "agent", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=60)


def test_noise_in_the_logs_costs_its_own_lines_and_nothing_else(start_agent: MakeAgent, box: MakeBox) -> None:
    agent, one = start_agent(), box(Recipe())
    one.exec("/usr/bin/quiet")
    seen = wait(lambda: quiet(agent, one.name), "it is recorded")
    agent.kill()
    for log in (EVIDENCE, ACTIVITY):
        with files_of(agent.log, log)[-1].path.open("ab") as file:
            file.write(b"\n" + NOISE + b"\n[[[[\n{}\nnull\n" + b"9" * 5000 + b"\n")
    agent.start()
    one.exec("/usr/bin/quiet")
    wait(lambda: len(quiet(agent, one.name)) == 2, "it goes on")
    entries = list(read(agent.log))
    assert sum(isinstance(entry, Damaged) for entry in entries) > 100
    ids = [entry.id for entry in entries if not isinstance(entry, Damaged)]
    assert len(ids) == len(set(ids))
    first = next(record.id for record in Ledger(agent.log).records if record.event == seen[0])
    explained = vedette("explain", first, "--settings", str(agent.settings))
    assert (explained.returncode, explained.stderr) == (0, "")
    assert "/usr/bin/quiet" in explained.stdout


def quiet(agent: Agent, name: str) -> list[Exec]:
    return [event for event in Ledger(agent.log, name).events(Exec) if event.file.path == "/usr/bin/quiet"]


def recorded(path: Path) -> bytes:
    """A recording with nothing but its header."""
    with closing(Recorder(path, Header("0" * 32, 0), 1 << 20)):
        pass
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["noise", "empty", "header"])
def test_a_recording_that_is_none_is_refused_in_one_line(folder: Path, kind: str) -> None:
    file = folder / "recording"
    file.write_bytes({"noise": NOISE, "empty": b"", "header": b"vedette recording 1\n" + NOISE}[kind])
    done = vedette("replay", str(file), "--output", "none")
    assert done.returncode == 2
    assert done.stderr.startswith(f"vedette: {file}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_recording_with_noise_behind_it_is_read_up_to_there_and_says_so(folder: Path) -> None:
    file = folder / "recording"
    whole = recorded(file)
    file.write_bytes(whole + NOISE)
    done = vedette("replay", str(file), "--output", "none", "--policies", str(folder))
    assert f"the last {len(NOISE)} bytes are torn" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def hostile_records(folder: Path) -> Path:
    """A runtime's folder of state in which nothing is as it should be."""
    for number, content in enumerate((NOISE, b"[" * 100_000, b"{}", b"null", b'{"id": 5}', b"\xff\xfe{", b"")):
        record = folder / f"c{number}" / "state.json"
        record.parent.mkdir()
        record.write_bytes(content)
    (folder / "fifo").mkdir()
    os.mkfifo(folder / "fifo" / "state.json")
    (folder / "loop").mkdir()
    (folder / "loop" / "state.json").symlink_to("state.json")
    (folder / "directory" / "state.json").mkdir(parents=True)
    (folder / "zero").mkdir()
    (folder / "zero" / "state.json").symlink_to("/dev/zero")
    (folder / "escapes-\x1b[2J").mkdir()
    return folder


def test_runtime_files_of_noise_pipes_and_loops_hide_no_container(
    make_agent: MakeAgent, box: MakeBox, hostile_records: Path
) -> None:
    agent = make_agent()
    agent.look_also_at(f"runc:{hostile_records}")
    agent.start()
    one = box(Recipe())
    one.exec("/usr/bin/quiet")
    wait(lambda: quiet(agent, one.name), "it is identified and recorded")
    assert agent.end() == 0, agent.said


def test_no_control_character_of_a_container_reaches_the_screen(make_agent: MakeAgent, box: MakeBox) -> None:
    agent = make_agent()
    agent.shows("lines")
    master, slave = pty.openpty()
    try:
        agent.begin(slave)
        wait(lambda: agent.notes("start"), "it is ready")
        one = box(Recipe())
        one.exec("echo", f"begin{ESCAPES}end")
        one.exec("sh", "-c", f"exec -a 'name{ESCAPES}' cat '/etc/{ESCAPES}'; echo > '/tmp/file{ESCAPES}'")
        wait(lambda: [event for event in Ledger(agent.log, one.name).events(Exec) if ESCAPES in "".join(event.argv)], "recorded")
        assert agent.end() == 0, agent.said
    finally:
        os.close(slave)
        shown = everything(master).decode()
        os.close(master)
    assert "begin" in shown
    text = OUR_COLOURS.sub("", shown).replace("\r\n", "\n")
    assert [character for character in text if not (character.isprintable() or character == "\n")] == []


def everything(terminal: int) -> bytes:
    """What a terminal has shown, now that nobody has it any more."""
    shown = b""
    try:
        while more := os.read(terminal, 65536):
            shown += more
    except OSError:  # EIO: its last holder is gone
        pass
    return shown
