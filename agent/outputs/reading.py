"""Read the logs back: for `explain`, `replay`, `init` and the tests. What is in a file may be hostile; a line is bounded."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from agent.outputs.spool import LINE_LIMIT, LogFile, files_of
from agent.outputs.stamp import LOGS
from model.record import SCHEMA, Finding, Note, Record

READ_BYTES = 1 << 16  # at once: with eight times less, half of a line's reading is calls of the kernel

_ID = '{"id":"'


class Damaged(Struct, frozen=True):
    """A line that is no record."""

    path: Path
    line: int  # from 1
    why: str


Entry: TypeAlias = Record | Finding | Note | Damaged


class _Head(Struct):
    schema: int = SCHEMA
    kind: str = ""


_head = msgspec.json.Decoder(_Head)
_record = msgspec.json.Decoder(Record)
_finding = msgspec.json.Decoder(Finding)
_note = msgspec.json.Decoder(Note)


def decode(line: bytes) -> Record | Finding | Note:
    """One line of a log. Raises msgspec.DecodeError. Fields of a newer schema are kept in `also`."""
    head = _head.decode(line)
    if head.kind == "finding":
        return _finding.decode(line)
    if head.kind:
        return _note.decode(line)
    record = _record.decode(line)
    return record if head.schema <= SCHEMA else _with_unknown(record, line)


def read(place: Path, log: str | None = None) -> Iterator[Entry]:
    """Everything in a folder's logs, or in one of them: evidence before activity, each in the order it was written.

    Works while an agent writes. A line that is no record comes as Damaged; a last line without its end is still being written
    and is left out. `place` may also be one file.
    """
    for path in files(place, log):
        yield from _entries(path)


def files(place: Path, log: str | None = None) -> list[Path]:
    """The files of a folder's logs, or of one of them, in the order of `read`; of a file only that."""
    if place.is_file():
        return [place]
    return [file.path for name in (LOGS if log is None else (log,)) for file in files_of(place, name)]


def find(folder: Path, record_id: str) -> Record | Finding | Note | None:
    """The record with this id, or None. Reads one file, at most two."""
    prefix, _, index = record_id.rpartition("/")
    boot, _, log = prefix.rpartition("/")
    if log not in LOGS or not index.isdecimal() or len(index) > 19:
        return None
    boot8 = boot.rpartition("/")[2][:8]
    for file in _near([file for file in files_of(folder, log) if file.boot8 == boot8], int(index)):
        for entry in _entries(file.path, f'{_ID}{record_id}"'.encode()):
            if not isinstance(entry, Damaged) and entry.id == record_id:
                return entry
    return None


def offset_of(entry: Record | Finding | Note) -> int | None:
    """Unix time minus boot time where it was written, to a second, ns. None where it has not both."""
    if not isinstance(entry, Record):
        return None
    try:
        seconds = datetime.fromisoformat(f"{entry.time[:19]}+00:00").timestamp()
    except ValueError:
        return None
    return int(seconds) * 1_000_000_000 - entry.event.time_ns


def is_id(text: str) -> bool:
    """Whether it has the form of a record's id, whole or short."""
    parts = text.split("/")
    return len(parts) in (2, 4) and parts[-2] in LOGS and parts[-1].isdecimal() and len(parts[-1]) < 20


def full_id(folder: Path, record_id: str) -> str:
    """The whole id for a short one as the screen shows it (`evidence/6`): of the newest file of that log. Others stay."""
    log, _, index = record_id.partition("/")
    if log not in LOGS or not index.isdecimal():
        return record_id
    for file in reversed(files_of(folder, log)):
        for entry in _entries(file.path):
            if not isinstance(entry, Damaged):
                return f"{entry.id.rpartition('/')[0]}/{index}"
    return record_id


def _near(files: list[LogFile], index: int) -> list[LogFile]:
    """The file whose indexes begin below it, and its neighbour: two threads may hand over in the other order."""
    before = [file for file in files if file.first <= index]
    after = [file for file in files if file.first > index]
    return before[-1:] + after[:1]


def _entries(path: Path, begins: bytes = b"") -> Iterator[Entry]:
    for number, line in lines(path):
        if not line.startswith(begins):
            continue
        if len(line) > LINE_LIMIT:
            yield Damaged(path, number, f"longer than {LINE_LIMIT} bytes")
            continue
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Damaged(path, number, str(error))


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines with their numbers. Of a line that is too long only its begin is kept, one byte over the limit."""
    try:
        file = path.open("rb", buffering=READ_BYTES)
    except FileNotFoundError:  # retention took it meanwhile
        return
    with file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(LINE_LIMIT)
            if rest:
                yield number, line


def _with_unknown(record: Record, line: bytes) -> Record:
    every: dict[str, Any] = msgspec.json.decode(line)
    unknown = {name: value for name, value in every.items() if name not in Record.__struct_fields__}
    return msgspec.structs.replace(record, also={**record.also, **unknown})
