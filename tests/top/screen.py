"""A terminal that a program sits at: a pty, and as much of an emulator as `vedette top` may ask for. All else fails the test."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.containers.programs import PROJECT

PATIENCE_S = 20.0
PIECE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\r|\n|[^\x00-\x1f\x7f-\x9f]")
OTHER_SCREEN, OWN_SCREEN, CURSOR, NO_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?25l"
HOME = "\x1b[H"  # how a frame begins
MODES = {"?1049": "other_screen", "?25": "cursor"}


class Screen:
    """What people see: `lines`. Letters that a terminal would not know make an error, not a guess."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.other_screen, self.cursor = False, True
        self.frames = 0
        self._rest = ""
        self._rows: list[list[str]] = []
        self._clear()

    def feed(self, text: str) -> None:
        text, at = self._rest + text, 0
        self._rest = ""
        while at < len(text):
            piece = PIECE.match(text, at)
            if piece is None:
                assert text[at] == "\x1b", f"not for a terminal: {text[at:][:20]!r}"
                assert len(text) - at < 16, f"not for a terminal: {text[at:][:20]!r}"
                self._rest = text[at:]
                return
            at = piece.end()
            self._take(piece)

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._rows]

    def _take(self, piece: re.Match[str]) -> None:
        if piece[2]:
            self._control(piece[1], piece[2])
        elif piece[0] == "\r":
            self._x = 0
        elif piece[0] == "\n":
            self._down()
        else:
            self._letter(piece[0])

    def _letter(self, letter: str) -> None:
        if self._x >= self.width:
            assert not self.other_screen, f"wider than the screen: {self.lines[self._y]!r}{letter!r}"
            self._down()
            self._x = 0
        self._rows[self._y][self._x] = letter
        self._x += 2 if unicodedata.east_asian_width(letter) in "WF" else 1

    def _down(self) -> None:
        """What fills a screen of its own never scrolls."""
        self._y += 1
        if self._y == self.height:
            assert not self.other_screen, "it scrolled"
            self._rows = [*self._rows[1:], [" "] * self.width]
            self._y -= 1

    def _control(self, numbers: str, what: str) -> None:
        if what == "H":
            row, _, column = (numbers or "1;1").partition(";")
            self._y, self._x = int(row) - 1, int(column or 1) - 1
            self.frames += 1
        elif what in "hl":
            setattr(self, MODES[numbers], what == "h")
            self._clear()
        else:
            assert what == "m", f"not expected: {numbers}{what}"

    def _clear(self) -> None:
        self._rows = [[" "] * self.width for _ in range(self.height)]
        self._x = self._y = 0


class Seat:
    """`with Seat("top", "--log", …) as seat:` runs the command line on a terminal; ended after it."""

    def __init__(
        self, *arguments: str, size: tuple[int, int] = (80, 24), code: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "agent", *arguments]
        self._environment = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        self._environment.pop("COLUMNS", None)
        self.screen = Screen(*size)
        self.raw = b""
        self._skip, self._skipped = 0, ""  # frames that are not looked at

    def __enter__(self) -> Self:
        self._ours, self.theirs = os.openpty()
        self._set_size(self.screen.width, self.screen.height)
        self.before = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen(
            self._command, cwd=PROJECT, env=self._environment, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
        )  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """The window got another size: the kernel tells the program. A frame for the old one may be on its way: it is skipped."""
        while self._read(0):
            pass
        self._skip = 2
        self.screen = Screen(width, height)
        self.screen.other_screen, self.screen.cursor = True, False
        self._set_size(width, height)

    def until(self, true: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
        """Read on until it is so."""
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, "not on the screen in time:\n" + "\n".join(self.screen.lines)
            self._read(0.1)

    def fill(self) -> None:
        """Nobody reads any more, until there is no room for another byte."""
        ends = os.open(f"/proc/self/fd/{self.theirs}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with suppress(BlockingIOError):
            while True:
                os.write(ends, b" ")
        os.close(ends)

    def ends_unread(self) -> int:
        """Its exit code, while nobody reads what it writes; that is read only then."""
        code = self.process.wait(PATIENCE_S)
        self._skip, self._skipped = 1 << 30, ""  # what was cut off somewhere is no frame
        while self._read(0.05):
            pass
        self.screen.other_screen = self.raw.rfind(OTHER_SCREEN) > self.raw.rfind(OWN_SCREEN)
        self.screen.cursor = self.raw.rfind(CURSOR) > self.raw.rfind(NO_CURSOR)
        return code

    def shows(self, *texts: str) -> None:
        """Until all of them are on it."""
        self.until(lambda: all(any(text in line for line in self.screen.lines) for text in texts))

    def ends(self) -> int:
        """Its exit code; what it wrote until then is read."""
        self.until(lambda: self.process.poll() is not None)
        while self._read(0.05):
            pass
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Mode, screen and cursor of the terminal."""
        same_mode = termios.tcgetattr(self.theirs) == self.before
        return same_mode and not self.screen.other_screen and self.screen.cursor

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._ours], [], [], wait_s)[0]:
            return False
        raw = os.read(self._ours, 65536)
        self.raw += raw
        self._show(raw.decode(errors="replace"))
        return True

    def _show(self, text: str) -> None:
        self._skipped += text
        while self._skip and HOME in self._skipped:
            self._skip -= 1
            _, home, rest = self._skipped.partition(HOME)
            self._skipped = rest if self._skip else home + rest
        if not self._skip:
            self.screen.feed(self._skipped)
            self._skipped = ""

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
