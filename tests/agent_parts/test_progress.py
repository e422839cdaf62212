"""A long verb shows how far it has come, to people only."""

import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from agent.verbs.progress import progress


def everything(master: int) -> str:
    """What was written to a terminal that is closed by now."""
    pieces: list[bytes] = []
    with suppress(OSError), os.fdopen(master, "rb", buffering=0) as terminal:
        while piece := terminal.read(1 << 16):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_there_is_a_bar_on_a_terminal_and_it_is_wiped_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * (16 << 20))
    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with progress("judging", [file, tmp_path / "gone"]) as bar:
            bar.advance(12 << 20)
    shown = everything(master)
    assert "judging" in shown
    assert "16.8 MB" in shown
    assert shown.rstrip().endswith(("\x1b[2K", "\x1b[?25h\r\x1b[1A\x1b[2K"))


def test_there_is_none_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("judging", [tmp_path]) as bar:
        bar.advance(12 << 20)
    assert capsys.readouterr() == ("", "")
