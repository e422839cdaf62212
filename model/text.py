r"""Text that a container chose: any bytes, kept exactly, shown safely.

The kernel gives names as bytes. We keep them as `str` in one reversible form: valid UTF-8 stands for itself, a byte that
is not part of valid UTF-8 is written `\xNN`, and a backslash is doubled. So no two byte strings give the same text, and
every text of this form gives its bytes back.
"""

import re
import unicodedata

_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def from_bytes(raw: bytes) -> str:
    """The reversible text of these bytes."""
    if b"\\" in raw:
        raw = raw.replace(b"\\", b"\\\\")
    return raw.decode("utf-8", "backslashreplace")


def to_bytes(text: str) -> bytes:
    """The bytes that `from_bytes` was given."""
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else b"\\", text.encode())


def printable(text: str) -> str:
    """The text for a screen: control, format, and direction-changing characters shown as escapes, never sent."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _INVISIBLE:
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
