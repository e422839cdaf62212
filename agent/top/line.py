"""The line to a terminal. That may be slow, or stand still, as a stalled ssh does: keys and signals must not wait for it."""

import os
import select
import termios
from io import TextIOBase
from typing import Final, TextIO

PATIENCE_S: Final = 1.0


class Line(TextIOBase):
    """Writes as long as the terminal takes some of it every second. What it doesn't is dropped: the next frame says all again.

    It has an open file of its own: the one of the shell must not become non-blocking.
    """

    def __init__(self, stdout: TextIO) -> None:
        self._encoding = stdout.encoding
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._fd = os.open(f"/proc/self/fd/{stdout.fileno()}", flags)

    @property
    def encoding(self) -> str:  # type: ignore[override] # here it is always known
        """Of the terminal."""
        return self._encoding

    def isatty(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Send it. A letter that the encoding lacks is a question mark. Raises OSError when the terminal is gone."""
        rest = memoryview(text.encode(self._encoding, "replace"))
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not self._moves():
                    break
        return len(text)

    def make_room(self) -> None:
        """For the last words: what a terminal that stands still has not shown yet gives way to them."""
        if not self._moves():
            termios.tcflush(self._fd, termios.TCOFLUSH)

    def _moves(self) -> bool:
        return bool(select.select([], [self._fd], [], PATIENCE_S)[1])

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            os.close(self._fd)
        super().close()
