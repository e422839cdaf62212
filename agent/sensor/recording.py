r"""Raw records ⇄ file: `run --record`, `replay`.

A recording is a magic line, then frames, each:

    u8 channel (see source.Channel)  u8[3] zero  u32 length  u32 CRC-32 of channel, length and data  data

The first frame is a fact: the header, a JSON object with `layout` (hash of the border), `boot` (the kernel's boot id),
`clock_offset_ns` (wall time minus boot time), `machine`, `code_variables`, and what else the agent gives. Further facts lie
between the records at the place where the agent learned them, so that a replay decides as the agent did. Integers are
little-endian. A file that ends inside a frame, or whose last frame fails its CRC, is read up to there and says so.
"""

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO
from zlib import crc32

from agent.sensor import layout
from agent.sensor.source import Channel

_MAGIC = b"vedette recording 1\n"
_FRAME = Struct("<B3xII")
_CHECKED = Struct("<BI")
_MAX_FRAME = 1 << 20
_BATCH = 512


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
    """Writes a recording of at most `max_bytes`. Recording is an extra: a full disk ends it, never the agent (`problem`)."""

    def __init__(self, path: Path, header: Header, max_bytes: int) -> None:
        self.problem = ""
        self.dropped = 0  # records that the file does not hold
        self._left = max_bytes
        # For its owner alone: arguments stand in it before redaction.
        private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO = os.fdopen(private, "wb", buffering=1 << 18)
        self._file.write(_MAGIC)
        self.fact(vars(header))

    def write(self, channel: int, records: Sequence[bytes]) -> None:
        """Append raw records of one channel. It is a Tap."""
        for data in records:
            self._frame(channel, data)

    def fact(self, fact: dict[str, Any]) -> None:
        """Append what the agent learned: it comes back at the same place between the records."""
        self._frame(Channel.FACT, json.dumps(fact).encode())

    def _frame(self, channel: int, data: bytes) -> None:
        size = _FRAME.size + len(data)
        if self.problem or size > self._left or len(data) > _MAX_FRAME:
            self.dropped += 1
            self.problem = self.problem or "the recording has reached its size"
            return
        self._left -= size
        try:
            self._file.write(_FRAME.pack(channel, len(data), _sum(channel, data)) + data)
        except OSError as problem:
            self.problem, self.dropped = str(problem), self.dropped + 1

    def close(self) -> None:
        """Write what is buffered. A disk that is full is told by `problem`."""
        try:
            self._file.close()
        except OSError as problem:
            self.problem = self.problem or str(problem)


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
