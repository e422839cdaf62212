"""Many paths as few patterns: what will be called otherwise tomorrow becomes a wildcard, what is one of many in a folder, too.

- Within a name: temporary suffixes, numbers of three digits and more, versions, hashes, UUIDs. The rest of the name stays.
- Small numbers where three names differ in nothing else.
- A folder that has shown `many` names becomes `/folder/*`, and `/folder/**` where its folders have shown as many again.

A pattern is never wider than a folder that has shown many, and the root is never such a folder. Paths are native (see
`model.glob`) and absolute. The same paths give the same patterns, in whatever order they come.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

ALIKE: Final = 3  # names that differ in a small number only
_CHANGING: Final = re.compile(
    r"(?P<uuid>(?<![0-9a-fA-F])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F]))"
    r"|(?P<temporary>(?<![A-Za-z0-9])(?:tmp|temp)[-_.]?(?=[A-Za-z0-9_]{6,16}(?![A-Za-z0-9_])))[A-Za-z0-9_]{6,16}"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)+|(?<![A-Za-z0-9])[0-9]{3,}(?![A-Za-z0-9]))"
    r"|(?P<word>(?<![A-Za-z0-9])[A-Za-z0-9]{6,128}(?![A-Za-z0-9]|\.[0-9]))"
)
_SMALL: Final = re.compile(r"\[0-9\]\*|[0-9]+")
_DIGITS: Final = "[0-9]*"
_HEX: Final = re.compile(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]{8,}")
_SPECIAL: Final = frozenset("*?[")


def collapse(paths: Iterable[str], many: int) -> dict[str, list[str]]:
    """Patterns, each with the paths that it stands for."""
    root = _Folder()
    for path in sorted(set(paths)):
        root.add([pattern_of(name) for name in path[1:].split("/")], path)
    found: dict[str, list[str]] = {}
    _walk(root, "", many, found)
    return {pattern: sorted(found[pattern]) for pattern in sorted(found)}


def pattern_of(name: str) -> str:
    """One name: what is special to globs as itself, what changes from time to time as a wildcard."""
    parts, at = [], 0
    for match in _CHANGING.finditer(name):
        parts += [literal(name[at : match.start()]), _wildcard(match)]
        at = match.end()
    return re.sub(r"\*{2,}", "*", "".join(parts) + literal(name[at:]))


def literal(text: str) -> str:
    """A pattern of this text. What is no UTF-8 can't be written, and is any one character."""
    return "".join(f"[{char}]" if char in _SPECIAL else "?" if "\ud800" <= char <= "\udfff" else char for char in text)


def _wildcard(match: re.Match[str]) -> str:
    if match["uuid"]:
        return "*-*-*-*-*"
    if match["number"]:
        return _DIGITS
    if match["temporary"]:
        return match["temporary"] + "*"
    word = match["word"]
    if _HEX.fullmatch(word):
        return "[0-9a-fA-F]*"
    return "?" * len(word) if _is_random(word) else literal(word)


def _is_random(word: str) -> bool:
    """As mktemp makes them: capitals, small letters and digits in turns."""
    kinds = ["0" if char.isdigit() else "A" if char.isupper() else "a" for char in word]
    turns = sum(one != two for one, two in pairwise(kinds))
    return len(word) <= 16 and turns >= 3 and 2 * turns >= len(word) - 1 and len(set(kinds)) > 1


class _Folder:
    """What lies below one name; and the paths that end at it."""

    __slots__ = ("below", "paths")

    def __init__(self) -> None:
        self.below: dict[str, _Folder] = {}
        self.paths: list[str] = []

    def add(self, names: list[str], path: str) -> None:
        here = self
        for name in names:
            here = here.below.setdefault(name, _Folder())
        here.paths.append(path)

    def take(self, other: "_Folder") -> None:
        """All of another one, too. Not by recursion: a path may have 2,000 names."""
        pairs = [(self, other)]
        while pairs:
            mine, theirs = pairs.pop()
            mine.paths += theirs.paths
            pairs += [(mine.below.setdefault(name, _Folder()), folder) for name, folder in theirs.below.items()]

    def all(self) -> list[str]:
        found, open_ = [], [self]
        while open_:
            folder = open_.pop()
            found += folder.paths
            open_ += folder.below.values()
        return found


def _walk(root: _Folder, at: str, many: int, found: dict[str, list[str]]) -> None:
    waiting = [(root, at)]
    while waiting:
        folder, at = waiting.pop()
        if folder.paths:
            found.setdefault(at or "/", []).extend(folder.paths)
        if at:
            _fold_numbers(folder)
        if at and len(folder.below) >= many:
            merged = _merged(folder.below.values())
            if len(merged.below) >= many:
                found.setdefault(f"{at}/**", []).extend(merged.all())
            else:
                waiting.append((merged, f"{at}/*"))
        else:
            waiting += [(below, f"{at}/{name}") for name, below in sorted(folder.below.items())]


def _fold_numbers(folder: _Folder) -> None:
    """Names that differ in small numbers only, as one."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in folder.below:
        alike[_SMALL.sub(_DIGITS, name)].append(name)
    for pattern, names in alike.items():
        if len(names) >= ALIKE:
            folder.below[pattern] = _merged([folder.below.pop(name) for name in names])


def _merged(folders: Iterable[_Folder]) -> _Folder:
    merged = _Folder()
    for folder in folders:
        merged.take(folder)
    return merged
