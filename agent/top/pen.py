"""Lines of the width that there is, from texts that may be hostile: control characters come out as escapes. Pure."""

from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from agent.outputs.lines import PLAIN, UNICODE, Style, fit
from model.text import printable

LOUD, WARN, DIM, NAME, TITLE = "bold red", "yellow", "dim", "cyan", "bold"
BLANK: Final = Text("", end="")
_ASCII: Final = str.maketrans({"▾": "v", "↑": "Up", "↓": "Dn", "└": "\\", "·": "-"})


class Size(NamedTuple):
    """Of the screen, in cells."""

    width: int
    height: int


class Pen:
    """The only way to the screen. Writes our own marks in ASCII where the terminal has nothing else."""

    def __init__(self, *, unicode: bool) -> None:
        self._style: Style = UNICODE if unicode else PLAIN

    def fit(self, text: str, width: int, *, right: bool = False, keep_end: bool = False) -> str:
        """The printable text in exactly so many cells; too long, it loses its end, or its begin."""
        if width < 2:
            return " " * max(0, width)
        fitted = fit(text, width, self._style, keep_end=keep_end)
        return fitted.rstrip().rjust(width) if right and fitted.isascii() else fitted

    def line(self, width: int, *parts: tuple[str, str]) -> Text:
        """Pieces of text, each with its colour, behind each other; cut where the line ends."""
        text, room = Text(no_wrap=True, end=""), width
        for words, style in parts:
            shown = printable(words)
            shown = self.fit(shown, room) if cell_len(shown) > room else shown
            text.append(shown, style)
            room -= cell_len(shown)
        return text

    def mark(self, text: str) -> str:
        """Our own words, with marks that the terminal has."""
        return text if self._style is UNICODE else text.translate(_ASCII)
