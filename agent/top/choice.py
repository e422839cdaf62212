"""What the person at the keyboard has chosen: the page, the order, the filter, the row. Keys in, choice out. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.top.columns import NAMES
from agent.top.snapshot import Row

TABLE, CONTAINER, HELP = "table", "container", "help"
SECTIONS: Final = ("processes", "findings", "peers", "files")
FILTER_LIMIT: Final = 64  # characters
PAGE: Final = 10  # rows that PgUp and PgDn move by


@dataclass
class Choice:
    """`press` is all that changes it."""

    page: str = TABLE
    before: str = TABLE  # the help
    sort: str = "events"
    filter: str = ""
    typing: bool = False  # keys go into the filter
    key: str = ""  # the chosen container; "" the first one
    section: str = SECTIONS[0]
    scroll: int = 0  # lines, in the section
    ended: bool = False

    def press(self, key: str, rows: Sequence[Row], furthest: int = 0) -> None:
        """One key. `rows` are those on the table, in their order; `furthest`: how far the open container's part scrolls."""
        if self.typing:
            self._type(key)
        elif key == "q":
            self.ended = True
        elif self.page == HELP:
            self.page = self.before
        elif key == "?":
            self.page, self.before = HELP, self.page
        elif self.page == CONTAINER:
            self._in_container(key, furthest)
        else:
            self._in_table(key, rows)

    def at(self, rows: Sequence[Row]) -> int:
        """Where the chosen row is now; the first one if it is gone."""
        return next((number for number, row in enumerate(rows) if row.key == self.key), 0)

    def _type(self, key: str) -> None:
        if key in ("enter", "escape"):
            self.typing = False
            self.filter = "" if key == "escape" else self.filter
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self.filter = (self.filter + key)[:FILTER_LIMIT]

    def _in_table(self, key: str, rows: Sequence[Row]) -> None:
        if key in _MOVES and rows:
            self.key = rows[max(0, min(len(rows) - 1, _MOVES[key](self.at(rows))))].key
        elif key in ("enter", "right") and rows:
            self.page, self.key = CONTAINER, rows[self.at(rows)].key
            self.section, self.scroll = SECTIONS[0], 0
        elif key == "s":
            self.sort = NAMES[(NAMES.index(self.sort) + 1) % len(NAMES)]
        elif key == "/":
            self.typing = True
        elif key == "escape":
            self.filter = ""

    def _in_container(self, key: str, furthest: int) -> None:
        if key in ("escape", "backspace", "left"):
            self.page = TABLE
        elif key == "tab":
            self.section, self.scroll = SECTIONS[(SECTIONS.index(self.section) + 1) % len(SECTIONS)], 0
        elif key in _MOVES:
            self.scroll = max(0, min(_MOVES[key](min(self.scroll, furthest)), furthest))


_MOVES: Final[dict[str, Callable[[int], int]]] = {
    "up": lambda at: at - 1,
    "k": lambda at: at - 1,
    "down": lambda at: at + 1,
    "j": lambda at: at + 1,
    "pgup": lambda at: at - PAGE,
    "pgdn": lambda at: at + PAGE,
    "home": lambda _: 0,
    "end": lambda _: 1 << 16,
}
