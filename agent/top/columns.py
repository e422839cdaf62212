"""The columns of the table: what each shows, how wide it may be, how it sorts, and which gives way first. Pure."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from agent.top.snapshot import Row


class Column(NamedTuple):
    """`rank`: where there is no room for all, the highest goes first. `least` to `most` cells wide."""

    name: str  # also what `--sort` takes
    title: str
    least: int
    most: int
    rank: int
    text: Callable[[Row], str]
    order: Callable[[Row], Any]  # smallest first
    is_number: bool = True


def rate(value: float) -> str:
    """A rate in few digits: 0, 0.25, 7.5, 1234."""
    if not value:
        return "0"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def least(count: int, *, more: bool) -> str:
    """7, or 7+: so many at the least."""
    return f"{count}+" if more else str(count)


def _findings(row: Row) -> str:
    return least(row.findings, more=row.findings_more)


def _peers(row: Row) -> str:
    return least(row.peers, more=row.peers_more)


def _lost(row: Row) -> str:
    return f"{row.lost}+?" if row.lost_unknown else str(row.lost)


COLUMNS: Final = (
    Column("name", "CONTAINER", 12, 36, 0, lambda row: row.name, lambda row: (not row.running, row.name), is_number=False),
    Column("image", "IMAGE", 12, 40, 8, lambda row: row.image, lambda row: row.image, is_number=False),
    Column("events", "EVENTS/S", 9, 9, 1, lambda row: rate(row.events_per_s), lambda row: -row.events_per_s),
    Column("novelty", "NEW/S", 6, 6, 4, lambda row: rate(row.novelty_per_s), lambda row: -row.novelty_per_s),
    Column("execs", "EXECS/S", 8, 8, 6, lambda row: rate(row.execs_per_s), lambda row: -row.execs_per_s),
    Column("peers", "PEERS", 6, 6, 5, _peers, lambda row: -row.peers),
    Column("lost", "LOST", 6, 6, 3, _lost, lambda row: (-row.lost_unknown, -row.lost)),
    Column("findings", "FOUND", 6, 6, 2, _findings, lambda row: -row.findings),
    Column("reason", "LAST FINDING", 16, 26, 7, lambda row: row.last_reason, lambda row: row.last_reason or "~", is_number=False),
)
NAMES: Final = tuple(column.name for column in COLUMNS)
GAP: Final = 1  # cells between two columns


@lru_cache(maxsize=4)
def layout(width: int) -> tuple[tuple[Column, int], ...]:
    """The columns that there is room for, each with its width. The first one always is. What is over, all share that can grow."""
    chosen = list(COLUMNS)
    while len(chosen) > 1 and _least(chosen) > width:
        chosen.remove(max(chosen, key=lambda column: column.rank))
    widths = {column.name: min(column.least, width) for column in chosen}
    rest = width - _least(chosen)
    while rest > 0 and (growing := [column for column in chosen if widths[column.name] < column.most]):
        for column in growing[:rest]:
            widths[column.name] += 1
        rest -= len(growing)
    return tuple((column, widths[column.name]) for column in chosen)


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least + GAP for column in columns) - GAP


def ordered(rows: Sequence[Row], sort: str, text: str = "") -> list[Row]:
    """The rows that hold the text in their name or image, in this order; equal ones by their name."""
    wanted = text.casefold()
    column = next(column for column in COLUMNS if column.name == sort)
    found = [row for row in rows if wanted in row.name.casefold() or wanted in row.image.casefold()]
    return sorted(found, key=lambda row: (column.order(row), row.name, row.key))
