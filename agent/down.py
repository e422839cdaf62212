"""How long nobody watched: from the last sign of life in the logs of this boot to now."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent.outputs.reading import decode
from agent.outputs.spool import LINE_LIMIT, LogFile, files_of
from agent.outputs.stamp import LOGS
from model.event import Gap
from model.record import Note, Record

PLACE = "agent.down"
_LINES = 64  # whole lines from the end that are looked at: a finding has no boot time, and a line may be damaged


def last_sign_ns(folder: Path, boot: str) -> int | None:
    """Boot time of the newest record or note of this boot; None: there is none, as at the first start after a boot.

    Reads two times a megabyte at most. Call it before the log is opened, which appends to it.
    """
    mine = [[file for file in files_of(folder, log) if file.boot8 == boot[:8]] for log in LOGS]
    return max((time_ns for files in mine for file in files[-1:] for time_ns in _times(file, boot)), default=None)


def gap(since_ns: int, now_ns: int) -> Gap:
    """What happened in between was not seen, and nobody knows how much it was."""
    return Gap(now_ns, 0, PLACE, "", -1, min(since_ns, now_ns))


def _times(file: LogFile, boot: str) -> Iterator[int]:
    for line in _last_lines(file.path):
        try:
            entry = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # torn, or damaged: the log's reader says so
        if entry.where.boot != boot:
            continue
        if isinstance(entry, Note):
            yield entry.time_ns
        elif isinstance(entry, Record):
            yield entry.event.time_ns


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            return os.pread(file.fileno(), LINE_LIMIT, max(0, size - LINE_LIMIT)).splitlines()[-_LINES:]
    except OSError:  # the log's own start says what is wrong with it
        return []
