"""The pages as text: values and a size in, exactly `size.height` lines out. Pure."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from agent.top.choice import CONTAINER, HELP, TABLE, Choice
from agent.top.columns import ordered
from agent.top.inside import inside
from agent.top.pen import BLANK, DIM, NAME, TITLE, WARN, Pen, Size
from agent.top.snapshot import Detail, Row, Snapshot
from agent.top.table import head, rows, titles

KEYS: Final = {
    TABLE: "q quit · ↑↓ choose · Enter open · s sort · / filter · ? help",
    CONTAINER: "q quit · Esc back · Tab next part · ↑↓ scroll · ? help",
    HELP: "q quit · any other key: back",
}
WORDS: Final = (
    ("CONTAINER", "its name; of Kubernetes namespace/pod/container. Dim: it ended"),
    ("EVENTS/S", "records, and the repeats that the kernel only counted"),
    ("NEW/S", "first sights: file, peer, socket, code"),
    ("EXECS/S", "programs executed"),
    ("PEERS", "different ones connected with in 5 minutes; 100+: no more are kept"),
    ("LOST", "events that were not itemised; +?: and nobody knows how many more"),
    ("FOUND", "different findings since the begin; then the newest one's reason"),
    ("", ""),
    ("↑ ↓", "choose or scroll; also j k, PgUp PgDn, Home End"),
    ("Enter", "open the container: processes, findings, peers, new files"),
    ("Tab", "its next part; Esc: back to the table"),
    ("s", "order by the next column: the one with ▾"),
    ("/", "show only containers whose name or image holds a text; Esc: all"),
    ("q", "quit"),
)


def page(pen: Pen, shown: Snapshot, detail: Detail | None, choice: Choice, size: Size) -> list[Text]:
    """What is on the screen. Where it is very low, the keys and what is chosen are the last to go."""
    if choice.page == HELP:
        lines = _help(pen, size.width)
    elif choice.page == CONTAINER and detail is not None:
        lines = inside(pen, detail, choice, inner(size))
    else:
        lines = _table(pen, shown, choice, inner(size))
    lines = lines[: max(0, size.height - 1)]
    lines += [BLANK] * (size.height - 1 - len(lines))
    return [*lines, _keys(pen, choice, size.width)]


def inner(size: Size) -> Size:
    """What is above the line of the keys."""
    return Size(size.width, size.height - 1)


def printed(pen: Pen, shown: Snapshot, sort: str, width: int) -> list[str]:
    """The table for a file or a pipe: however long, and without colours."""
    found = ordered(shown.containers, sort)
    lines = [*head(pen, shown, "", width), titles(pen, sort, width), *rows(pen, [shown.total, *found], None, width)]
    return [line.plain.rstrip() for line in lines]


def _table(pen: Pen, shown: Snapshot, choice: Choice, size: Size) -> list[Text]:
    found = ordered(shown.containers, choice.sort, choice.filter)
    above = [*head(pen, shown, choice.filter, size.width), titles(pen, choice.sort, size.width)]
    above += rows(pen, [shown.total], None, size.width)
    above = above[max(0, len(above) - max(1, size.height - 2)) :]
    return [*above, *_window(pen, found, choice, Size(size.width, size.height - len(above)))]


def _window(pen: Pen, found: Sequence[Row], choice: Choice, size: Size) -> list[Text]:
    """As many rows as there is room for, the chosen one among them; how many there are besides."""
    if not found:
        return [pen.line(size.width, ("no container" + (" has this in its name or image" if choice.filter else " yet"), DIM))]
    room = size.height if len(found) <= size.height else max(1, size.height - 1)
    at = choice.at(found)
    begin = max(0, min(at - room // 2, len(found) - room))
    lines = rows(pen, found[begin : begin + room], found[at].key, size.width)
    if len(found) > room:
        lines.append(pen.line(size.width, (f"{begin + 1} to {begin + len(lines)} of {len(found)} containers", DIM)))
    return lines


def _help(pen: Pen, width: int) -> list[Text]:
    lines = [pen.line(width, ("vedette top", TITLE)), BLANK]
    return lines + [pen.line(width, (pen.mark(f"{word:11}"), NAME), (pen.mark(says), "")) for word, says in WORDS]


def _keys(pen: Pen, choice: Choice, width: int) -> Text:
    if choice.typing:
        return pen.line(width, ("/", WARN), (f"{choice.filter}_", ""), ("  Enter keep it · Esc clear it", DIM))
    return pen.line(width, (pen.mark(KEYS[choice.page]), "reverse"))
