"""The lines of one log as they are written: from a bounded way before its present end, then on through its rotation.

    evidence-1f0c9a3b-0.jsonl ──► evidence-1f0c9a3b-41877.jsonl ──► …      by the index of the first record, see outputs.spool
                  ▲ begin: LOOK_BACK bytes before the end                    a file is left when a newer one was there before

Bounded: who is more than LAG bytes behind skips most of them, and says how many. A line whose end is not written yet is read
again the next time, so that one that a crash tore and the next agent cut is never seen.
"""

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

from agent.outputs.spool import LINE_LIMIT, LogFile, files_of

LOOK_BACK: Final = 16 << 20  # bytes before the end: some ten thousand records
LAG: Final = 16 << 20  # bytes that are read in one go: a fifth of a second
_CHUNK: Final = 2 * LINE_LIMIT


class Follower:
    """Follows one log of one folder. Files of an older boot are left out: their boot times mean nothing today."""

    def __init__(self, folder: Path, log: str, *, look_back: int = LOOK_BACK, lag: int = LAG) -> None:
        self._folder, self._log, self._lag = folder, log, lag
        self._file: LogFile | None = None
        self._fd, self._offset = -1, 0
        self.skipped_bytes = 0  # that were written too fast for us
        self.overlong = 0  # pieces without an end that are longer than a line may be
        self._begin(look_back)

    def lines(self) -> Iterator[bytes]:
        """Whole lines that came since the last call, without their newlines. Raises OSError."""
        self._skip_if_behind()
        while True:
            later = self._later()
            if self._file is not None:
                yield from self._to_the_end()
            if not later:
                return
            self._open(later[0], 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _begin(self, look_back: int) -> None:
        """So many bytes before the end; all of it where there is less."""
        for file in reversed(self._files()):
            size = _size(file)
            self._open(file, max(0, size - look_back))
            look_back -= size
            if look_back <= 0:
                break
        if self._offset:
            self._offset += os.pread(self._fd, LINE_LIMIT, self._offset).find(b"\n") + 1

    def _open(self, file: LogFile, offset: int) -> None:
        """A file that retention takes at this moment reads as empty: `_later` has its successor."""
        self.close()
        self._file, self._offset = file, offset
        try:
            self._fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return

    def _to_the_end(self) -> Iterator[bytes]:
        while self._fd >= 0 and (data := os.pread(self._fd, _CHUNK, self._offset)):
            end = data.rfind(b"\n") + 1
            if not end and len(data) <= LINE_LIMIT:
                return
            self._offset += end or len(data)
            self.overlong += not end
            if end:
                yield from data[: end - 1].split(b"\n")

    def _skip_if_behind(self) -> None:
        unread = self._rest() + sum(_size(file) for file in self._later())
        if unread > self._lag:
            self._begin(self._lag // 2)
            self.skipped_bytes += unread - self._rest() - sum(_size(file) for file in self._later())

    def _rest(self) -> int:
        return max(0, os.fstat(self._fd).st_size - self._offset) if self._fd >= 0 else 0

    def _files(self) -> list[LogFile]:
        """Of the newest boot, oldest first."""
        files = files_of(self._folder, self._log)
        return list(takewhile(lambda file: file.boot8 == files[-1].boot8, reversed(files)))[::-1]

    def _later(self) -> list[LogFile]:
        """Files behind the one that is read."""
        ours = self._file
        return [file for file in self._files() if ours is None or file.boot8 != ours.boot8 or file.first > ours.first]


def _size(file: LogFile) -> int:
    try:
        return file.path.stat().st_size
    except FileNotFoundError:  # retention took it meanwhile
        return 0
