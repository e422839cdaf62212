"""The rows on the terminal."""

from rich.console import Console
from rich.table import Table

from bench.rows import Row

_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: ""}


def show(console: Console, title: str, rows: list[Row]) -> None:
    """Print one part's rows."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name, justify in (("", "left"), ("value", "right"), ("rounds", "right"), ("target", "right"), ("", "left"), ("", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for one in rows:
        spread = f"{number(one.low)}-{number(one.high)}" if one.low != one.high else ""
        target = f"{one.target.sign} {number(one.target.value)}" if one.target else ""
        table.add_row(one.name, f"{number(one.value)} {one.unit}", spread, target, _MARKS[one.met], one.note)
    console.print(table)


def number(value: float) -> str:
    """Three digits that matter, no exponent."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", " ")
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:.{digits}f}"
