"""The bytes that a terminal sends for keys → their names. Pure."""

import re
from collections.abc import Iterator
from typing import Final

_KEY: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*|.", re.DOTALL)
_NAMES: Final = {
    b"\x1b": "escape", b"\r": "enter", b"\n": "enter", b"\t": "tab", b"\x7f": "backspace", b"\x08": "backspace",
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
    b"\x1b[5~": "pgup", b"\x1b[6~": "pgdn", b"\x1b[H": "home", b"\x1b[F": "end", b"\x1b[1~": "home", b"\x1b[4~": "end",
    b"\x1bOH": "home", b"\x1bOF": "end",
}  # fmt: skip


def names(raw: bytes) -> Iterator[str]:
    """Each key: a name for special ones, else its character. Sequences that we don't know are left out."""
    for match in _KEY.finditer(raw):
        key = match[0]
        if key in _NAMES:
            yield _NAMES[key]
        elif key[0] >= 0x20 and (text := key.decode("utf-8", "ignore")):
            yield text
