"""Renders what a terminal showed as SVG: `python docs/picture.py TEXT SVG [TITLE]`. Colours (ANSI) are kept."""

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

WIDTH = 110
LINES = 36
LAST = 3  # paragraphs that stay: the last step, the sum and its table
CELL = 12.2  # units of the picture that rich gives a character
LEADING = re.compile(
    r'x="(?P<x>[\d.]+)" (?P<y>y="[\d.]+") textLength="(?P<length>[\d.]+)"(?P<more>[^>]*)>(?P<spaces>(?:&#160;)+)'
)
REMOTE_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # a picture must not call home


def picture(text: str, title: str) -> str:
    """The SVG of this text. Longer lines are cut: keep them short."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for line in shortened(text):
        console.print(Text.from_ansi(line), soft_wrap=False, overflow="ellipsis", no_wrap=True)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="vedette")
    return LEADING.sub(_moved, REMOTE_FONT.sub("", svg).replace("Fira Code", "monospace"))


def _moved(text: re.Match[str]) -> str:
    """A text without its leading spaces, so many cells further right: not every renderer keeps them."""
    width = CELL * text["spaces"].count(";")
    x, length = float(text["x"]) + width, float(text["length"]) - width
    return f'x="{x:.1f}" {text["y"]} textLength="{max(length, 0):.1f}"{text["more"]}>'


def shortened(text: str) -> list[str]:
    """Its lines; of what is too long some paragraphs before the last ones are left out, where a line says so."""
    parts = re.split(r"\n(?: *\n)+", text.strip("\n "))
    lines = [part.splitlines() for part in parts]
    left_out = False
    while sum(len(part) + 1 for part in lines) > LINES and len(lines) > LAST + 2:
        del lines[-LAST - 1 - left_out]
        if not left_out:
            lines.insert(len(lines) - LAST, ["  ⋮"])
            left_out = True
    return [line for part in lines for line in (*part, "")][:LINES]


def main() -> None:
    """Read the text, write the picture."""
    source, target, *title = sys.argv[1:]
    Path(target).write_text(picture(Path(source).read_text(), " ".join(title) or "make demo"))


if __name__ == "__main__":
    main()
