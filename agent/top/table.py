"""The table: what the agent says of itself, what was lost, one line a container. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from agent.status import STALE_S
from agent.top.columns import GAP, Column, layout
from agent.top.pen import DIM, LOUD, NAME, TITLE, WARN, Pen
from agent.top.snapshot import Agent, Row, Snapshot
from agent.top.span import span

_WARNS: Final = {"lost": WARN, "findings": LOUD, "reason": LOUD, "name": NAME, "image": DIM}


def head(pen: Pen, shown: Snapshot, wanted: str, width: int) -> list[Text]:
    """The agent; what the numbers are of; then, aloud, what is missing in them. `wanted` is the filter."""
    state, style = _agent(shown.agent)
    first = pen.line(width, ("vedette top", TITLE), (pen.mark(f" · {shown.time[11:19]} UTC · "), DIM), (pen.mark(state), style))
    told = f"rates over {shown.window_s:g} s, of repeats over {shown.counts_s:g} s · findings and losses since {_since(shown)}"
    filtered = f'only with "{wanted}" · ' if wanted else ""
    second = pen.line(width, (pen.mark(filtered), NAME), (pen.mark(told), DIM))
    return [first, second, *(pen.line(width, (pen.mark(text), WARN)) for text in _missing(shown))]


def _since(shown: Snapshot) -> str:
    """The time of day; with its date, where that is another one."""
    since = shown.since or shown.time
    return since[11:19] if since[:10] == shown.time[:10] else f"{since[:10]} {since[11:16]}"


def titles(pen: Pen, sort: str, width: int) -> Text:
    """The columns' titles, with a mark at the one that orders."""
    mark = pen.mark("▾")
    cells = ((column, column.title + (mark if column.name == sort else ""), "") for column, _ in layout(width))
    return _cells(pen, cells, TITLE, width)


def rows(pen: Pen, shown: Sequence[Row], chosen: str | None, width: int) -> list[Text]:
    """One line each."""
    return [_row(pen, row, width, is_chosen=row.key == chosen) for row in shown]


def _row(pen: Pen, row: Row, width: int, *, is_chosen: bool) -> Text:
    style = "reverse" if is_chosen else "" if row.running else DIM
    cells = ((column, column.text(row), "" if style else _style(column, row)) for column, _ in layout(width))
    return _cells(pen, cells, style, width)


def _cells(pen: Pen, cells: "Iterator[tuple[Column, str, str]]", style: str, width: int) -> Text:
    text, widths = Text(no_wrap=True, end="", style=style), layout(width)
    for number, ((column, told, colour), (_, room)) in enumerate(zip(cells, widths, strict=True)):
        text.append(" " * GAP if number else "")
        text.append(pen.fit(told, room, right=column.is_number), colour)
    return text


def _style(column: Column, row: Row) -> str:
    counts = {"lost": row.lost or row.lost_unknown, "findings": row.findings}
    is_quiet = not counts.get(column.name, True)
    return "" if is_quiet else _WARNS.get(column.name, "")


def _agent(agent: Agent) -> tuple[str, str]:
    """In one line: whether it lives, and whether it sees."""
    if not agent.running:
        return "no agent runs any more: what is shown is of before", LOUD
    if agent.silent_s > STALE_S:
        return f"the agent (pid {agent.pid}) is silent for {span(agent.silent_s)}", LOUD
    if not agent.ready:
        return f"the agent is not ready: {'; '.join(agent.unready)}", LOUD
    return f"agent {agent.version}, pid {agent.pid}, up {span(agent.up_s)}, ready · containers {len(agent.containers)}", ""


def _missing(shown: Snapshot) -> Iterator[str]:
    if shown.total.lost or shown.total.lost_unknown:
        more = " and an unknown number" if shown.total.lost_unknown else ""
        last = f"; last: {shown.losses[0]}" if shown.losses else ""
        yield f"not itemised: {shown.total.lost}{more}{last}"
    if any(shown.agent.losses.values()):
        told = ", ".join(f"{place} {count}" for place, count in shown.agent.losses.items() if count)
        yield f"lost since the agent's start: {told}"
    if shown.left_out:
        yield f"{shown.left_out} containers had no room here: what they did is in the total"
    if shown.skipped_bytes:
        yield f"{shown.skipped_bytes >> 10} KiB of the log were written too fast for this view: it skipped them"
    if shown.damaged:
        yield f"{shown.damaged} lines of the log are no records"
