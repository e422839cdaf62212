"""Many patterns of paths tried at once: one step for each name of the path, however many patterns there are.

A state is the set of places where a path can stand in the patterns. States are made when a path first leads there, and kept up
to a bound, so that no path of a workload's makes the table grow without end.

        /srv/*/x   /srv/**   /**/x               "srv"            "a"              "x"
        ──────────────────────────   { 0, 0, 0 } ────► {1, 1, 0} ────► {2, 1, 0} ────► all three match
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from model.glob import Glob, is_wild, name_regex

STATES = 2048  # of one automaton; then it begins anew
_TOGETHER = 3  # wildcards of one state from which a single expression rejects most names

Row = TypeVar("Row")
Place = tuple[int, int]  # pattern, name in it
Match = Callable[[str], object]


class _State(Generic[Row]):
    """One set of places, with what matches a path that ends here."""

    __slots__ = ("default", "edges", "maybe", "places", "rows", "wilds")

    def __init__(self, places: frozenset[Place], rows: tuple[Row, ...]) -> None:
        self.places = places
        self.rows = rows
        self.edges: dict[object, _State[Row] | None] = {}  # by name; None: not made yet. With wildcards also by which of them fit
        self.default: _State[Row] | None = None  # for every other name
        self.wilds: tuple[tuple[str, Match], ...] = ()
        self.maybe: Match | None = None  # False for names that no wildcard fits


class Automaton(Generic[Row]):
    """Patterns that are not literal, each with its row. `find` gives rows in the order in which they were given."""

    def __init__(self, patterns: Sequence[tuple[Glob, Row]]) -> None:
        self._patterns = tuple(glob.names for glob, _ in patterns)
        self._rows = tuple(row for _, row in patterns)
        self._states: dict[frozenset[Place], _State[Row]] = {}
        self._start = self._state(self._closed((number, 0) for number in range(len(self._patterns))))

    def find(self, path: str) -> tuple[Row, ...]:
        """The rows of all patterns that match this native, absolute path. Linear in the path."""
        state = self._start
        names = path.split("/")
        del names[0]
        for name in names:
            if state.wilds:
                state = self._by_wilds(state, name)
            else:
                found = state.edges.get(name, state.default)
                state = found if found is not None else self._made(state, name, ())
            if not state.places:
                break
        return state.rows

    def _by_wilds(self, state: _State[Row], name: str) -> _State[Row]:
        if state.maybe is not None and not state.maybe(name):
            fits: tuple[str, ...] = ()
        else:
            fits = tuple(wild for wild, match in state.wilds if match(name))
        literal = name if name in state.edges else None
        found = state.edges.get((literal, fits)) if literal is not None or fits else state.default
        return found if found is not None else self._made(state, name, fits)

    def _made(self, state: _State[Row], name: str, fits: tuple[str, ...]) -> _State[Row]:
        """The next state, and the way to it for the next time."""
        if len(self._states) > STATES:
            self._states.clear()
            self._start = self._state(self._closed((number, 0) for number in range(len(self._patterns))))
        found = self._state(self._closed(self._after(state.places, name, fits)))
        if name not in state.edges and not fits:
            state.default = found
        elif state.wilds:
            state.edges[(name if name in state.edges else None, fits)] = found
        else:
            state.edges[name] = found
        return found

    def _after(self, places: Iterable[Place], name: str, fits: tuple[str, ...]) -> Iterable[Place]:
        for number, at in places:
            names = self._patterns[number]
            if at < len(names):
                wanted = names[at]
                if wanted == "**":
                    yield number, at
                elif wanted == name or wanted in fits:
                    yield number, at + 1

    def _closed(self, places: Iterable[Place]) -> frozenset[Place]:
        """With what a `**` that stands for no name reaches."""
        found = set()
        for number, start in places:
            names, at = self._patterns[number], start
            found.add((number, at))
            while at < len(names) and names[at] == "**":
                at += 1
                found.add((number, at))
        return frozenset(found)

    def _state(self, places: frozenset[Place]) -> _State[Row]:
        known = self._states.get(places)
        if known is not None:
            return known
        ended = sorted(number for number, at in places if at == len(self._patterns[number]))
        state = self._states[places] = _State(places, tuple(self._rows[number] for number in ended))
        wanted = {self._patterns[number][at] for number, at in places if at < len(self._patterns[number])} - {"**"}
        state.edges.update(dict.fromkeys(name for name in wanted if not is_wild(name)))
        wilds = sorted(name for name in wanted if is_wild(name))
        state.wilds = tuple((name, _match(name)) for name in wilds)
        if len(wilds) >= _TOGETHER and "*" not in wilds:
            state.maybe = re.compile("|".join(f"(?:{name_regex(name)})" for name in wilds), re.DOTALL).fullmatch
        return state


def _match(name: str) -> Match:
    """Whether a name fits a pattern of one; the usual forms without an expression."""
    if name == "*":
        return _any
    if not is_wild(name[1:]) and name[0] == "*":
        suffix = name[1:]
        return lambda text: text.endswith(suffix)
    if not is_wild(name[:-1]) and name[-1] == "*":
        prefix = name[:-1]
        return lambda text: text.startswith(prefix)
    return re.compile(name_regex(name), re.DOTALL).fullmatch


def _any(_: str) -> bool:
    return True
