"""One log on disk: files of JSON lines in a folder, bounded in bytes. Nothing in here knows what a record is.

    evidence-1f0c9a3b-0.jsonl        name = log, first 8 digits of the boot id, index of the file's first record
    evidence-1f0c9a3b-41877.jsonl    the newest one is appended to, also by the next agent of the same boot

A line is whole or it is cut: what a crash left torn is cut at the next start. When the log would outgrow its budget, its
oldest file goes. A spool belongs to one thread, but for `sync`. Errors of the disk are raised as OSError with everything
unwritten kept, so that the caller may try again at any time.
"""

import fcntl
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

LINE_LIMIT = 1 << 20  # bytes; no line is longer, neither written nor read
CHECK_S = 1.0  # so often a file is looked up by its name, which also finds a folder that was moved away
_NAME = re.compile(r"(evidence|activity)-([0-9a-f]{8})-(\d{1,19})\.jsonl")
_CHUNK = 1 << 20


class FolderInUseError(OSError):
    """Another agent writes there."""


class LogFile(NamedTuple):
    """One file of a log, from its name."""

    path: Path
    log: str
    boot8: str
    first: int  # index of its first record


class Folder:
    """The folder of both logs, and the lock that keeps a second agent out. The lock is on the folder itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def ensure(self) -> None:
        """Make it and lock it, also when it was removed or replaced meanwhile. A folder that exists keeps its mode."""
        if self._fd >= 0 and _same_file(self._fd, self.path):
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            text = f"{self.path}: another agent writes its log there; stop it, or give this one a folder of its own"
            raise FolderInUseError(text) from None
        self.close()
        self._fd = fd

    def close(self) -> None:
        """Unlock it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class Spool:
    """The writing end of one log. `losses` says what is not there any more: retention, removed, torn."""

    def __init__(self, folder: Folder, log: str, boot: str, prefix: bytes, *, budget_bytes: int, file_bytes: int) -> None:
        """`prefix` is how each line of this log and boot begins, up to its index."""
        self.folder, self.log, self.boot8 = folder, log, boot[:8]
        self.budget_bytes, self.file_bytes = budget_bytes, file_bytes
        self.losses: Counter[str] = Counter()
        self.written = 0  # lines since the start
        self._prefix = prefix
        self._batch_lines = 0
        self._rest = memoryview(b"")
        self._lines: dict[Path, int] = {}  # of the files written by this agent
        self._older_bytes = 0
        self._size = 0
        self._fd = -1
        self._fd_lock = Lock()
        self._dirty = False
        self._checked_s = 0.0
        self._path: Path | None = None
        self._repaired = False
        self.next_index = self._next_index()

    @property
    def idle(self) -> bool:
        """Everything that was given is in the hands of the kernel."""
        return not self._rest

    @property
    def bytes_on_disk(self) -> int:
        """Of all files of this log."""
        return self._older_bytes + self._size

    def give(self, lines: Sequence[bytes]) -> None:
        """The next batch. Only when idle."""
        self._batch_lines = len(lines)
        self._rest = memoryview(b"".join(lines))

    def pump(self) -> None:
        """Write what was given. After an OSError the next call goes on at the byte where this one ended.

        With nothing given it opens the file, and so finds out whether it can.
        """
        if self._fd < 0 or self._vanished():
            self._resume()
        elif self._at_line_start() and self._size and self._size + len(self._rest) > self.file_bytes:
            self._rotate()
        while self._rest:
            done = os.write(self._fd, self._rest)
            self._rest = self._rest[done:]
            self._size += done
            self._dirty = True
        if self._path is not None:
            self._lines[self._path] = self._lines.get(self._path, 0) + self._batch_lines
        self.written += self._batch_lines
        self.give(())

    def sync(self) -> None:
        """Wait until the disk has it. May take seconds: call it from a thread of its own."""
        with self._fd_lock:
            if self._fd < 0 or not self._dirty:
                return
            self._dirty = False
            fd = os.dup(self._fd)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Leave the file as it is."""
        with self._fd_lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _at_line_start(self) -> bool:
        whole = self._rest.obj
        return isinstance(whole, bytes) and len(self._rest) == len(whole)

    def _resume(self) -> None:
        """Open the newest file again, or a first one. A batch that was begun in a file that is gone is written whole."""
        self.folder.ensure()
        if not self._repaired:
            self._repair()
        if isinstance(self._rest.obj, bytes):
            self._rest = memoryview(self._rest.obj)
        newest = self._newest()
        if newest is not None and newest.boot8 == self.boot8 and newest.path.stat().st_size < self.file_bytes:
            self._open(newest.path)
        else:
            self._rotate()

    def _rotate(self) -> None:
        """Begin a new file, and make room for it first."""
        self._retain(self.budget_bytes - max(self.file_bytes, len(self._rest)))
        begin = len(self._prefix)
        index = bytes(self._rest[begin : begin + 20]).split(b'"', 1)[0]
        first = int(index) if index.isdigit() else self.next_index
        self._open(self.folder.path / f"{self.log}-{self.boot8}-{first}.jsonl")

    def _open(self, path: Path) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self.sync()
        self.close()
        with self._fd_lock:
            self._fd, self._path, self._size = fd, path, os.fstat(fd).st_size
        self._older_bytes = sum(_size(file.path) for file in self._files() if file.path != path)

    def _retain(self, budget_bytes: int) -> None:
        """Remove the oldest files until the log fits. Each one is counted in lines before it goes."""
        files = self._files()
        total = sum(_size(file.path) for file in files)
        for file in files:
            if total <= budget_bytes:
                return
            size, lines = _size(file.path), self._lines.pop(file.path, None)
            lines = count_lines(file.path) if lines is None else lines
            file.path.unlink(missing_ok=True)
            self.losses["retention"] += lines
            total -= size

    def _vanished(self) -> bool:
        """Our file was removed or replaced: what it held is lost, and that is said."""
        now_s = time.monotonic()
        if os.fstat(self._fd).st_nlink and now_s < self._checked_s + CHECK_S:
            return False
        self._checked_s = now_s
        if self._path is None or _same_file(self._fd, self._path):
            return False
        for path in [path for path in self._lines if path == self._path or not path.exists()]:
            self.losses["removed"] += self._lines.pop(path)
        self.close()
        return True

    def _repair(self) -> None:
        """Cut what a crash left of a line at the end of the newest file."""
        newest = self._newest()
        if newest is not None:
            with newest.path.open("r+b", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                whole = _end_of_last_line(file.fileno(), size)
                if whole < size:
                    file.truncate(whole)
                    self.losses["torn"] += 1
            if newest.boot8 == self.boot8:
                self._lines[newest.path] = count_lines(newest.path)
        self._repaired = True

    def _next_index(self) -> int:
        """One more than the last one of this boot; a torn line had one, too."""
        mine = [file for file in self._files() if file.boot8 == self.boot8]
        if not mine:
            return 0
        whole, newline, torn = _tail(mine[-1].path).rpartition(b"\n")
        found = [int(index) for index in re.findall(rb"(?m)^" + re.escape(self._prefix) + rb'(\d{1,19})"', whole + newline)]
        last = max(found, default=mine[-1].first + count_lines(mine[-1].path) - 1)
        return last + (2 if torn else 1)

    def _newest(self) -> LogFile | None:
        files = self._files()
        return files[-1] if files else None

    def _files(self) -> list[LogFile]:
        return files_of(self.folder.path, self.log)


def files_of(folder: Path, log: str) -> list[LogFile]:
    """The files of one log, oldest first: boots by their last write, within a boot by index."""
    found: list[tuple[LogFile, int]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and match[1] == log and path.is_file() and not path.is_symlink():
            found.append((LogFile(path, log, match[2], int(match[3])), path.stat().st_mtime_ns))
    last_write: dict[str, int] = {}
    for file, changed_ns in found:
        last_write[file.boot8] = max(last_write.get(file.boot8, 0), changed_ns)
    return sorted((file for file, _ in found), key=lambda file: (last_write[file.boot8], file.boot8, file.first))


def count_lines(path: Path) -> int:
    """Whole lines of a file; 0 if it is gone."""
    try:
        with path.open("rb", buffering=0) as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
    except FileNotFoundError:
        return 0


def _tail(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        return os.pread(file.fileno(), LINE_LIMIT, max(0, size - LINE_LIMIT))


def _end_of_last_line(fd: int, size: int) -> int:
    """Offset behind the last newline; 0 if there is none."""
    end = size
    while end > 0:
        start = max(0, end - _CHUNK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _same_file(fd: int, path: Path) -> bool:
    try:
        there, ours = path.lstat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
