"""Renders what a terminal showed as SVG: `python docs/picture.py TEXT SVG [TITLE]`. Colours (ANSI) are kept."""

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

WIDTH = 132
LINES = 60
REMOTE_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # a picture must not call home


def picture(text: str, title: str) -> str:
    """The SVG of this text. Longer lines are cut as a terminal of that width would wrap them: keep them short."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for line in text.splitlines()[:LINES]:
        console.print(Text.from_ansi(line), soft_wrap=False, overflow="ellipsis", no_wrap=True)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="vedette")
    return REMOTE_FONT.sub("", svg).replace("Fira Code", "monospace")


def main() -> None:
    """Read the text, write the picture."""
    source, target, *title = sys.argv[1:]
    Path(target).write_text(picture(Path(source).read_text(), " ".join(title) or "make demo"))


if __name__ == "__main__":
    main()
