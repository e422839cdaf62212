"""Patterns of paths: `*` and `?` within one name, `[…]` for one character, `**` for any number of names.

Matching takes time linear in the path for each `**` group, whatever the path: a wildcard takes the first place where what
follows it fits and never goes back (atomic groups), which is enough for globs. Paths here are in their *native* form: one
character for each character, or byte that is not UTF-8, of the name.

`/dir/**` is the folder itself and everything below it. There are no escapes: `[*]` is a star.
"""

import re
from functools import cached_property
from itertools import groupby

from model.text import to_bytes

LONGEST = 4096  # characters of a pattern
_SPECIAL = re.compile(r"[*?\[]")
_UNESCAPED = "\\"


class GlobError(ValueError):
    """A pattern that is none. `at` is the index of the character, `hint` what to write instead."""

    def __init__(self, message: str, at: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint


def native(path: str) -> str:
    """The path of an event (see `model.text`) with one character for each of the name's."""
    return to_bytes(path).decode("utf-8", "surrogateescape") if _UNESCAPED in path else path


class Glob:
    """One pattern. `text` is as written; it begins with `/`."""

    def __init__(self, text: str) -> None:
        """Raises GlobError. `text` must be absolute and in normal form: see `check`."""
        self.text = text
        self.names = tuple(text[1:].split("/"))
        self.literal = not _SPECIAL.search(text)
        self.folder = self._folder()
        self.whole = not self.literal and text == self.folder + "/**"

    def __repr__(self) -> str:
        return f"Glob({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Glob) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def _folder(self) -> str:
        """The part before the first wildcard, without the `/` after it. Everything that matches is it or lies below it."""
        if self.literal:
            return self.text
        names: list[str] = []
        for name in self.names:
            if _SPECIAL.search(name):
                break
            names.append(name)
        return "".join("/" + name for name in names)

    @property
    def nearest(self) -> str:
        """The last name without a wildcard: each path that matches ends with it, or has it above. "" if there is none."""
        return next((name for name in reversed(self.names) if name and not _SPECIAL.search(name)), "")

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Compiled at the first use: most patterns are literal, or whole folders, and need none."""
        return re.compile(_translate(self.names), re.DOTALL)

    def matches(self, path: str) -> bool:
        """Whether this native path matches."""
        if self.literal:
            return path == self.text
        if self.whole:
            return path.startswith(self.folder) and path[len(self.folder) : len(self.folder) + 1] in ("", "/")
        return self.regex.fullmatch(path) is not None

    def below(self, folder: str) -> bool | None:
        """True: it matches everything below this native path. False: nothing. None: some, or it can't be told."""
        states = _closed({0}, self.names)
        for name in folder.strip("/").split("/") if folder.strip("/") else ():
            states = _closed(_step(states, self.names, name), self.names)
        open_ended = {state for state in states if state < len(self.names)}
        if any(all(name == "**" for name in self.names[state:]) for state in open_ended):
            return True
        return None if open_ended else False


class Word:
    """A pattern of one text in which `/` is a character like any other: an argument of a program."""

    def __init__(self, text: str) -> None:
        """`text` must be one that `check_word` takes."""
        self.text = text
        self.literal = not _SPECIAL.search(text)

    def __repr__(self) -> str:
        return f"Word({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(_of_word(self.text), re.DOTALL)

    def matches(self, word: str) -> bool:
        """Whether this native text matches, whole."""
        return word == self.text if self.literal else self._regex.fullmatch(word) is not None


def is_wild(name: str) -> bool:
    """Whether one name of a pattern stands for more than itself."""
    return _SPECIAL.search(name) is not None


def name_regex(name: str) -> str:
    """The expression that one name of a path must match whole."""
    return _name(name)


def check_word(text: str) -> None:
    """Raises GlobError where the text is no pattern of one word."""
    if len(text) > LONGEST:
        raise GlobError(f"longer than {LONGEST} characters")
    if "\0" in text:
        raise GlobError("an argument has no NUL", text.index("\0"))
    _check_class(text, 0)


def check(text: str) -> None:
    """Raises GlobError where the text is no absolute pattern in normal form."""
    if not text.startswith("/"):
        raise GlobError("a path must begin with /", 0, f'"/{text}" or "/**/{text}"' if text else "")
    if len(text) > LONGEST:
        raise GlobError(f"longer than {LONGEST} characters")
    if "\0" in text:
        raise GlobError("a path has no NUL", text.index("\0"))
    _check_names(text)


def _check_names(text: str) -> None:
    at = 1
    for name in text[1:].split("/"):
        if name in ("", ".", "..") and text != "/":
            _refuse_name(text, name, at)
        if "**" in name and name != "**":
            raise GlobError('"**" stands alone between two "/"', at + name.index("**"), 'within one name write "*"')
        _check_class(name, at)
        at += len(name) + 1


def _refuse_name(text: str, name: str, at: int) -> None:
    if name == "" and at > len(text) - 1:
        raise GlobError('a path does not end with "/"', len(text) - 1, f'write "{text}**" for everything below it')
    what = f'"{name}"' if name else 'an empty name ("//")'
    raise GlobError(f"{what} in a path: paths are compared as the kernel resolved them", at, "write the resolved path")


def _check_class(name: str, at: int) -> None:
    position = 0
    while (position := name.find("[", position)) >= 0:
        end = _class_end(name, position)
        if end < 0:
            raise GlobError('"[" without "]"', at + position, 'a "[" itself is written "[[]"')
        _check_ranges(name[position + 1 : end], at + position)
        position = end + 1


def _check_ranges(inside: str, at: int) -> None:
    for low, high in _members(inside):
        if low > high:
            raise GlobError(f'"{low}-{high}" in "[…]" runs backwards', at)


def _class_end(name: str, start: int) -> int:
    """The index of the `]` that closes the class: one right at its beginning is a member."""
    first = start + 1 + (name[start + 1 : start + 2] in ("!", "^"))
    return name.find("]", first + 1)


def _translate(names: tuple[str, ...]) -> str:
    """Groups of names between `**`: each takes the first place where it fits, the last one the end."""
    groups = [tuple(group) for wild, group in groupby(names, lambda name: name == "**") if not wild]
    leading, trailing = names[0] == "**", names[-1] == "**"
    parts: list[str] = []
    for index, group in enumerate(groups):
        fixed = "".join("/" + _name(name) for name in group)
        last = index == len(groups) - 1
        if index == 0 and not leading:
            parts.append(fixed)
        elif last and not trailing:
            parts.append(f"(?:/[^/]*+)*{fixed}")
        else:
            parts.append(f"(?>(?:/[^/]*+)*?{fixed}(?=/|\\Z))")
    return "".join(parts) + ("(?:/.*)?" if trailing else "")


def _name(name: str) -> str:
    """One name. Each `*` but the last takes the first fit, the last one the end of the name."""
    first, *rest = _pieces(name)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}(?=/|\\Z)"


def _of_word(text: str) -> str:
    """As `_name`, for a text without folders: it ends where it ends."""
    first, *rest = _pieces(text, ".")
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _pieces(name: str, any_char: str = "[^/]") -> list[str]:
    """Regular expressions of what lies between the stars."""
    pieces, at = [""], 0
    while at < len(name):
        char = name[at]
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += any_char
        elif char == "[":
            end = _class_end(name, at)
            members = _class(name[at + 1 : end])
            pieces[-1] += members if any_char == "." else f"(?!/){members}"
            at = end
        else:
            pieces[-1] += re.escape(char)
        at += 1
    return pieces


def _class(inside: str) -> str:
    members = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in _members(inside))
    return f"[{'^' if inside[0] in '!^' else ''}{members}]"


def _members(inside: str) -> list[tuple[str, str]]:
    """The ranges of a class; one character is a range of its own."""
    found = re.findall(r"(.)-(.)|(.)", inside[inside[0] in "!^" :], re.DOTALL)
    return [(low or one, high or one) for low, high, one in found]


def _closed(states: set[int], names: tuple[str, ...]) -> set[int]:
    """With what a `**` that stands for no name reaches."""
    reached = set(states)
    for state in sorted(states):
        while state < len(names) and names[state] == "**":
            state += 1  # noqa: PLW2901 - walks on from here
            reached.add(state)
    return reached


def _step(states: set[int], names: tuple[str, ...], name: str) -> set[int]:
    """The states after one more name of the path."""
    after = {state for state in states if state < len(names) and names[state] == "**"}
    return after | {s + 1 for s in states if s < len(names) and names[s] != "**" and _fits(names[s], name)}


def _fits(pattern: str, name: str) -> bool:
    if not _SPECIAL.search(pattern):
        return pattern == name
    return re.fullmatch(_name(pattern), name, re.DOTALL) is not None
