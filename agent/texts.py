"""A file that a person wrote → its text, or what is wrong with the file, told like a mistake in it."""

import os
import stat
from pathlib import Path

from model.problem import Code, Mark, PolicyError, Problem, Text

FILE_BYTES = 1 << 20


def text_of(file: Path) -> str:
    """The text of a plain file; no more than FILE_BYTES are read. Raises PolicyError, never waits for a FIFO or device."""
    try:
        raw = _bytes_of(file)
    except OSError as error:
        raise _refused(file, f"can't be read: {error.strerror or error}", "let this user read it, or leave it out") from error
    if len(raw) > FILE_BYTES:
        raise _refused(file, f"larger than {FILE_BYTES:,} bytes", "split it into several files", Code.TOO_LARGE)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        text = Text(raw.decode(errors="backslashreplace"), str(file))
        mark = text.mark_at(len(raw[: error.start].decode()))
        message = f"byte 0x{raw[error.start]:02x} is not valid UTF-8"
        raise PolicyError([text.problem(mark, message, "write the file as UTF-8", code=Code.SYNTAX)]) from error


def _bytes_of(file: Path) -> bytes:
    """Looked at before it is opened: opening a device can do something. And after: it may be another by then."""
    _check(file.stat().st_mode)
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        _check(os.fstat(stream.fileno()).st_mode)
        return stream.read(FILE_BYTES + 1)


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError("it is no plain file")


def _refused(file: Path, message: str, hint: str, code: Code = Code.UNREADABLE) -> PolicyError:
    mark = Mark(1, 1)
    return PolicyError([Problem(Text("", str(file)).name, mark.line, mark.column, message, hint=hint, code=code)])
