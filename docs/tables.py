"""Markdown, as the reference needs it."""

from collections.abc import Iterable


def page(title: str, intro: str, parts: Iterable[str], source: str) -> str:
    """A page that says where it comes from."""
    origin = f"<!-- Generated from {source} by `make docs`: do not edit. -->"
    return "\n\n".join([f"# {title}", origin, intro, *parts]) + "\n"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; a `|` in a cell is kept as text."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """As code, also where it holds a backtick."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
