r"""Raw records ⇄ file: `run --record`, `replay`.

A recording is a magic line, then frames, each:

    u8 channel (see source.Channel)  u8[3] zero  u32 length  u32 CRC-32 of channel, length and data  data

The first frame is a fact: the header, a JSON object with `layout` (hash of the border), `boot` (the kernel's boot id),
`clock_offset_ns` (wall time minus boot time), `machine`, `code_variables`, and what else the agent gives. Further facts lie
between the records at the place where the agent learned them, so that a replay decides as the agent did. The fact `lost` is
a hole: so many records or facts had no room there, because the disk was slow, or the file has reached its size. Integers are
little-endian. A file that ends inside a frame, or whose last frame fails its CRC, is read up to there and says so.
"""

import json
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path
from struct import Struct
from threading import Event, Thread
from typing import Any, BinaryIO
from zlib import crc32

from agent.sensor import layout
from agent.sensor.source import Channel

_MAGIC = b"vedette recording 1\n"
_FRAME = Struct("<B3xII")
_CHECKED = Struct("<BI")
_MAX_FRAME = 1 << 20
_BATCH = 512
_HOLE = 64  # bytes at the end of a full file for its last fact: what it doesn't hold
_LINGER_S = 0.05  # for company: a recording is no stream
BUFFERED = 1 << 18  # bytes before they are written
QUEUE_BYTES = 16 << 20  # that wait in memory while the disk does not answer
CLOSE_S = 1.0
LOST = "lost"


class RecordingError(ValueError):
    """A file that is no recording, or not one that this version can read."""


@dataclass(frozen=True)
class Header:
    """What a replay has to know of where the records come from."""

    boot: str
    clock_offset_ns: int
    code_variables: Sequence[str] = ()
    machine: str = field(default_factory=platform.machine)
    layout: str = layout.HASH
    more: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """Writes a recording of at most `max_bytes`. Recording is an extra: no disk ends the agent, or makes its loop wait.

    A disk that is full ends it (`problem`). One that is slow or hangs makes holes, each of which is said at its place.
    """

    def __init__(self, path: Path, header: Header, max_bytes: int, queue_bytes: int = QUEUE_BYTES) -> None:
        self._left = max_bytes - _HOLE
        self._full = ""
        self._refused = 0
        self._hole = 0  # records that the file does not hold, since the last one that it does
        # For its owner alone: arguments stand in it before redaction.
        private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._writer = Writer(os.fdopen(private, "wb", buffering=BUFFERED), queue_bytes)
        self.fact(vars(header))

    @property
    def problem(self) -> str:
        """Why it ended; "" while it goes on."""
        return self._full or self._writer.problem

    @property
    def dropped(self) -> int:
        """Records and facts that the file does not hold."""
        return self._refused + self._writer.lost

    def write(self, channel: int, records: Sequence[bytes]) -> None:
        """Append raw records of one channel. It is a Tap."""
        for data in records:
            self._frame(channel, data)

    def fact(self, fact: dict[str, Any]) -> None:
        """Append what the agent learned: it comes back at the same place between the records."""
        self._frame(Channel.FACT, json.dumps(fact).encode())

    def _frame(self, channel: int, data: bytes) -> None:
        if self._hole and self._put(Channel.FACT, _hole_of(self._hole)):
            self._hole = 0
        if self._hole or not self._put(channel, data):
            self._hole += 1
            self._refused += 1

    def _put(self, channel: int, data: bytes) -> bool:
        size = _FRAME.size + len(data)
        if self._full or len(data) > _MAX_FRAME:
            return False
        if size > self._left:
            self._full = "the recording has reached its size"
            return False
        if not self._writer.append(channel, data):
            return False
        self._left -= size
        return True

    def close(self, deadline_s: float = CLOSE_S) -> None:
        """Write what waits, within the deadline, and what the file does not hold."""
        if self._hole:
            self._writer.append(Channel.FACT, _hole_of(self._hole))
        self._writer.close(deadline_s)


class Writer:
    """A thread that writes frames to a file, behind a queue of `queue_bytes`. What finds no room is the caller's to count."""

    def __init__(self, file: BinaryIO, queue_bytes: int = QUEUE_BYTES) -> None:
        self.problem = ""  # of the disk: nothing more is written
        self.lost = 0  # frames that were taken, and then could not be written
        self._file, self._room = file, queue_bytes
        self._queue: deque[tuple[int, bytes]] = deque()
        self._given = self._taken = 0  # bytes so far: one is the caller's, one the thread's
        self._frames_given = self._frames_taken = 0
        self._wake, self._ending = Event(), False
        self._thread = Thread(target=self._write_all, name="recording", daemon=True)
        self._thread.start()

    def append(self, channel: int, data: bytes) -> bool:
        """Have a frame written. False: there is no room for it, or the disk has refused. Never waits."""
        size = _FRAME.size + len(data)
        if self.problem or self._given - self._taken + size > self._room:
            return False
        self._queue.append((channel, data))
        self._given += size
        self._frames_given += 1
        if not self._wake.is_set():
            self._wake.set()
        return True

    def close(self, deadline_s: float) -> None:
        """Write what waits, and close the file. A disk that does not answer within the deadline keeps it."""
        self._ending = True
        self._wake.set()
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            self.problem = "the disk does not answer"
            self.lost += self._frames_given - self._frames_taken

    def _write_all(self) -> None:
        self._try(lambda: self._file.write(_MAGIC), 0)
        while not (self._ending and not self._queue):
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._write([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])
            if not self._ending:
                time.sleep(_LINGER_S)
        try:
            self._file.close()
        except OSError as error:
            self.problem = self.problem or str(error)

    def _write(self, frames: list[tuple[int, bytes]]) -> None:
        whole = b"".join(_FRAME.pack(channel, len(data), _sum(channel, data)) + data for channel, data in frames)
        self._try(lambda: (self._file.write(whole), self._file.flush()), len(frames))
        self._taken += len(whole)
        self._frames_taken += len(frames)

    def _try(self, act: Callable[[], object], frames: int) -> None:
        """A write. After the first one that fails nothing is written: what follows a hole that is not told is worth nothing."""
        if self.problem:
            self.lost += frames
            return
        try:
            act()
        except OSError as error:
            self.problem = str(error)
            self.lost += frames


def _hole_of(count: int) -> bytes:
    return json.dumps({LOST: count}).encode()


class Recording:
    """Reads a recording; a Source. `on_fact` and `on_report` get what lies between the events, in order.

    Raises RecordingError where the file is no recording or its layout is another version's.
    """

    def __init__(
        self, path: Path, on_fact: Callable[[dict[str, Any]], None], on_report: Callable[[bytes], None] = lambda _: None
    ) -> None:
        self.ended = False
        self.torn_bytes = 0  # at the end of the file, that are no whole frame
        self._on_fact, self._on_report = on_fact, on_report
        self._file: BinaryIO = path.open("rb")
        self._held: tuple[int, bytes] | None = None
        try:
            self.header = self._read_header(path)
        except BaseException:
            self._file.close()
            raise
        self._frames = self._rest()

    def _read_header(self, path: Path) -> Header:
        if self._file.read(len(_MAGIC)) != _MAGIC:
            raise RecordingError(f"{path}: not a recording of vedette")
        frame = self._frame()
        try:
            header = Header(**json.loads(frame[1] if frame else b""))
        except (ValueError, TypeError) as problem:
            raise RecordingError(f"{path}: its header can't be read: {problem}") from problem
        if header.layout != layout.HASH:
            message = f"{path}: recorded with the layout {header.layout}, this version reads {layout.HASH}"
            raise RecordingError(f"{message}\nhint: replay it with the version that recorded it")
        return header

    def poll(self, timeout_s: float) -> list[bytes]:
        """The next events, up to the next fact or report; the file is never waited for."""
        del timeout_s
        events: list[bytes] = []
        while len(events) < _BATCH:
            frame = self._held or next(self._frames, None)
            self._held = None
            if frame is None:
                self.ended = True
                return events
            if frame[0] in (Channel.URGENT, Channel.NOVELTY):
                events.append(frame[1])
            elif events:
                self._held = frame
                return events
            else:
                self._aside(*frame)
        return events

    def _aside(self, channel: int, data: bytes) -> None:
        if channel == Channel.REPORTS:
            self._on_report(data)
        elif channel == Channel.FACT:
            self._on_fact(_fact(data))

    def _rest(self) -> Iterator[tuple[int, bytes]]:
        while frame := self._frame():
            yield frame

    def _frame(self) -> tuple[int, bytes] | None:
        began = self._file.tell()
        head = self._file.read(_FRAME.size)
        if len(head) == _FRAME.size:
            channel, size, checksum = _FRAME.unpack(head)
            data = self._file.read(size) if size <= _MAX_FRAME else b""
            if len(data) == size and _sum(channel, data) == checksum:
                return channel, data
        self.torn_bytes = self._file.seek(0, SEEK_END) - began
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _fact(data: bytes) -> dict[str, Any]:
    try:
        fact = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise RecordingError(f"a fact that is no JSON: {problem}") from problem
    if not isinstance(fact, dict):
        raise RecordingError("a fact that is no JSON object")
    return fact


def _sum(channel: int, data: bytes) -> int:
    return crc32(data, crc32(_CHECKED.pack(channel, len(data))))
