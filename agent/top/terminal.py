"""The terminal while the view has it: the other screen, single keys, and as it was before on every way out.

    ended    SIGTERM, SIGINT (Ctrl-C), SIGHUP, or the terminal is gone
    Ctrl-Z   gives the terminal back, stops, and takes it again when it goes on
    resized  SIGWINCH only wakes up: the size is asked for before each frame

What ends the view comes by a signal at any time: handlers note it and wake up `wait` through a pipe.
"""

import os
import select
import signal
import termios
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType, TracebackType
from typing import Final, Self, TextIO, cast

from rich.console import Console, ConsoleDimensions
from rich.live import Live
from rich.text import Text

from agent.top.keys import names
from agent.top.line import Line
from agent.top.pen import Size

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ESCAPE_S: Final = 0.05  # a lone Esc is one when nothing follows for so long: slow lines split what a key sends
_READ: Final = 4096


class Terminal:
    """A context. `draw` frames and `wait` for keys inside; after it everything is as before."""

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._fd = stdin.fileno()
        self._line = Line(stdout)
        self._console = Console(file=cast("TextIO", self._line), highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._out = stdout.fileno()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._made = ExitStack()
        self._suspended = False
        self.ended = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # what fails half-way is undone
            stack.callback(self._line.close)
            self._wake = stack.enter_context(_waking())
            for number in (*ENDING, signal.SIGWINCH, signal.SIGTSTP):
                stack.callback(signal.signal, number, signal.signal(number, self._signalled))
            self._before = termios.tcgetattr(self._fd)
            stack.callback(self._give_back)
            self._take()
            self._made = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._made.close()

    @property
    def size(self) -> Size:
        """Now: people resize it."""
        with suppress(OSError):
            return Size(*os.get_terminal_size(self._out))
        return Size(80, 24)

    def draw(self, lines: Sequence[Text], size: Size) -> None:
        """One frame of this size."""
        self._console.size = ConsoleDimensions(*size)
        try:
            self._live.update(Text("\n", no_wrap=True, end="").join(lines), refresh=True)
        except OSError:  # hung up
            self.ended = True

    def wait(self, timeout_s: float) -> list[str]:
        """Keys that were pressed; none at the timeout, or when something else happened."""
        ready, _, _ = select.select([self._fd, self._wake], [], [], timeout_s)
        if self._wake in ready:
            os.read(self._wake, _READ)
        if self._suspended:
            self._suspend()
            return []
        return list(names(self._typed())) if self._fd in ready and not self.ended else []

    def _typed(self) -> bytes:
        raw = self._read()
        if raw.endswith(b"\x1b") and select.select([self._fd], [], [], _ESCAPE_S)[0]:
            raw += self._read()
        return raw

    def _read(self) -> bytes:
        try:
            raw = os.read(self._fd, _READ)
        except OSError:  # hung up
            raw = b""
        self.ended |= not raw
        return raw

    def _signalled(self, number: int, _: FrameType | None) -> None:
        self.ended |= number in ENDING
        self._suspended |= number == signal.SIGTSTP

    def _take(self) -> None:
        """Single keys, without echo; Ctrl-S is no key of ours, and must not stop our output."""
        mode = termios.tcgetattr(self._fd)
        mode[0] &= ~termios.IXON
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        self._live.start()

    def _give_back(self) -> None:
        """The mode first. What a terminal that stands still has not shown gives way, so that there is room for the rest."""
        with suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
            self._line.make_room()
        with suppress(OSError):
            self._live.stop()

    def _suspend(self) -> None:
        """As Ctrl-Z does with any program: stop here, and go on here."""
        self._suspended = False
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._signalled)
        try:
            self._before = termios.tcgetattr(self._fd)
            self._take()
        except termios.error:  # hung up meanwhile
            self.ended = True


@contextmanager
def _waking() -> Iterator[int]:
    """A pipe that a signal writes into; the end to wait at."""
    ours, signals = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(before)
        os.close(ours)
        os.close(signals)


def is_screen(stdin: TextIO, stdout: TextIO) -> bool:
    """Whether both ends are a terminal that can do more than print lines."""
    return stdin.isatty() and stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
