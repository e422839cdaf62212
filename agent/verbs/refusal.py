"""A call that can't be done: what, where, a hint, on standard error, and exit code 2. Alike in every verb."""

import sys

from model.text import printable

_HINTS: dict[type[OSError], str] = {
    PermissionError: "run it as root, or let this user read it",
    FileNotFoundError: "is the name right?",
    IsADirectoryError: "name a file",
    FileExistsError: "a recording is a new file, a log is a folder",
}


def refused(error: Exception | str, hint: str = "") -> int:
    """Say it; the exit code. Of an OSError its file and its reason, with the usual hint where none is given."""
    if isinstance(error, OSError) and error.filename is not None:
        hint = hint or _HINTS.get(type(error), "")
        error = f"{printable(str(error.filename))}: {error.strerror}"
    sys.stderr.write(f"vedette: {error}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    return 2
