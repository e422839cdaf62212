"""How a program was called: what rules about arguments are held against.

A script's own arguments stand behind its name in those of its interpreter. Arguments that were cut are not known, so no rule
about them matches; nor one that has a NUL in it, which no program is ever given.
"""

from posixpath import join, normpath

from msgspec import Struct

from model.event import Exec

ARGV_BYTES = 4096  # what the kernel's record keeps; of more, the end is cut


class Called(Struct, frozen=True, gc=False):
    """The name that a program was called by, and its arguments."""

    name: str  # argv[0]'s base name; for a script its file's
    args: tuple[str, ...]


def called(event: Exec) -> Called | None:
    """How the program (for a script the interpreter) was called; None where it isn't known."""
    argv = event.argv
    if not _known(event):
        return None
    return Called(argv[0].rpartition("/")[2], argv[1:])


def called_script(event: Exec) -> Called | None:
    """How the script was called. The kernel puts at most one option of its first line before its name."""
    if event.script is None or not _known(event):
        return None
    for at, word in enumerate(event.argv[1:3], 1):
        if _leads_to(word, event.script.path, event.cwd):
            return Called(event.script.path.rpartition("/")[2], event.argv[at + 1 :])
    return None


def _known(event: Exec) -> bool:
    return bool(event.argv) and 0 <= event.argv_bytes <= ARGV_BYTES and not any("\0" in word for word in event.argv)


def _leads_to(word: str, path: str, cwd: str) -> bool:
    """Whether this text is the file's path, as far as text can tell."""
    return word == path or (word != "" and normpath(join(cwd or "/", word)) == path)
