"""A what-if for people."""

from collections.abc import Iterator
from typing import Final

from agent.whatif.tally import CHANGES, NotJudged, Row, Tally
from model.text import printable

SHOWN: Final = 40  # rows of one change; --json has all
_TITLES: Final = {
    "new": "new findings",
    "changed": "findings for another reason",
    "gone": "findings that are gone",
    "same": "findings with both",
    "learnt": "violations that mode learn only records",
}


def told(tally: Tally) -> Iterator[str]:
    """Totals, what is different row by row, and what could not be judged again."""
    yield f"{_number(tally.judged)} of {_number(tally.records)} records judged again"
    for change in CHANGES:
        records, times = tally.of(change)
        yield f"  {_number(records):>12} {_TITLES[change]}" + (f", {_number(times)} times" if times > records else "")
    for change in CHANGES:
        yield from _rows(_TITLES[change], [row for row in tally.sorted_rows() if row.change == change])
    if tally.not_judged:
        yield "could not be judged again"
    yield from map(_not_judged, tally.not_judged)


def _rows(title: str, rows: list[Row]) -> Iterator[str]:
    if rows:
        yield title
    for row in rows[:SHOWN]:
        yield from _row(row)
    if len(rows) > SHOWN:
        yield f"  … and {len(rows) - SHOWN} more kinds (--json has them)"


def _row(row: Row) -> Iterator[str]:
    reason = f"{row.reason} (was {row.before})" if row.before else row.reason
    times = f"{_number(row.records)} record{'' if row.records == 1 else 's'}"
    times += f", {_number(row.times)} times" if row.times > row.records else ""
    yield f"  {printable(row.container)}  {printable(reason)}  {printable(row.rule or row.policy)}  {times}"
    yield f"      {printable(row.subject)}  {printable(row.example)}"


def _not_judged(one: NotJudged) -> str:
    count = "?" if one.count < 0 else _number(one.count)
    return f"  {count:>12} {printable(one.what)}: {printable(one.why)}" + (f"  {printable(one.example)}" if one.example else "")


def _number(value: int) -> str:
    return f"{value:,}".replace(",", " ")
