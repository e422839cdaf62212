"""What is wrong in a text that a person wrote: where, what, and what to do. The same for messages and for --json."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from model.text import printable

LISTED = 100  # problems that are printed; more are only counted
_WIDEST = 160  # characters of a line that are quoted
_LONGEST = 1 << 20  # characters of a text that are split into lines: no file that is read has more
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML takes for the end of a line

_WORD = re.compile(r"""'[^']*'|"[^"]*"|\{[^{}]*\}|[^\s,\]}]+""")


class Code(StrEnum):
    """What kind of problem it is, as one word for programs. Those after `test.failed` are warnings."""

    UNREADABLE = "file.unreadable"  # the file can't be read, or is no plain file
    TOO_LARGE = "text.bounds"  # larger, deeper, or with more values or aliases than is read
    SYNTAX = "text.syntax"  # not YAML, or YAML that is not used here: tags, names that are no words
    DUPLICATE = "text.duplicate"  # a field stands there twice
    UNKNOWN = "field.unknown"  # there is no such field
    MISSING = "field.missing"  # a field that must be there is not
    INVALID = "value.invalid"  # a value that can't be
    TEST_FAILED = "test.failed"  # a case of a test file has another verdict than it expects
    SAME_NAME = "policy.same_name"  # two policies of one name: their rules can't be told apart
    NO_RULES = "policy.no_rules"  # it judges nothing
    ONLY_LEARNS = "policy.only_learns"  # nobody is told what it forbids
    WAITS = "policy.waits"  # what only Kubernetes knows, or this version can't do yet: it has no effect here
    EVERYTHING = "rule.everything"  # it allows everything
    BROAD = "rule.broad"  # it allows a large part of all addresses
    CHOSEN_NAME = "rule.chosen_name"  # it allows by a name that the workload chooses
    TWICE = "rule.twice"  # the same rule again
    SHADOWED = "rule.shadowed"  # another rule of the list holds all that it holds
    OVERLAP = "rule.overlap"  # ports that another rule of the list has too
    UNREACHABLE = "rule.unreachable"  # it is never allowed: a deny rule holds all of it
    CONTRADICTION = "rule.contradiction"  # the same in allow and in deny
    MATCHES_NOTHING = "rule.matches_nothing"  # nothing is ever reported that it could match
    ELSEWHERE = "path.elsewhere"  # the kernel reports another path
    NOT_THERE = "path.not_there"  # the image at hand has no such file


class Mark(Struct, frozen=True, gc=False):
    """A place in a text. Lines and columns count from 1, columns in characters."""

    line: int
    column: int
    width: int = 1


class Problem(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing to correct. `level` is error or warning."""

    file: str
    line: int
    column: int
    message: str
    quote: str = ""  # the line, or the part around the column of a long one
    caret: int = 0  # index in it
    width: int = 1
    hint: str = ""
    level: str = "error"
    code: str = Code.INVALID

    def __str__(self) -> str:
        kind = "warning: " if self.level == "warning" else ""
        parts = [f"{self.file}:{self.line}:{self.column}: {kind}{self.message}"]
        if self.quote:
            parts += _quoted(self.quote, self.line, self.caret, self.width)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)


class PolicyError(ValueError):
    """A text that is no policy. `problems` has all that is wrong with it, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        more = len(self.problems) - LISTED
        shown = [str(problem) for problem in self.problems[:LISTED]]
        return "\n".join([*shown, f"… and {more} more problems"] if more > 0 else shown)


class Text:
    """A named text that problems quote from."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = printable(name)

    @cached_property
    def _lines(self) -> list[str]:
        return _BREAKS.split(self.text[:_LONGEST])

    def problem(self, mark: Mark, message: str, hint: str = "", level: str = "error", code: Code = Code.INVALID) -> Problem:
        """A problem at this place."""
        line = self._lines[mark.line - 1] if mark.line <= len(self._lines) else ""
        start = max(0, mark.column - 1 - _WIDEST // 2) if len(line) > _WIDEST else 0
        quote, caret = line[start : start + _WIDEST], mark.column - 1 - start
        return Problem(self.name, mark.line, mark.column, message, quote, caret, min(mark.width, _WIDEST), hint, level, code)

    def source(self, mark: Mark) -> str:
        """file:line:col."""
        return f"{self.name}:{mark.line}:{mark.column}"

    def mark_of(self, source: str) -> Mark:
        """The place that `source` gave, as wide as the word or the quoted text that stands there."""
        _, line, column = source.rsplit(":", 2)
        lines, number, start = self._lines, int(line), int(column) - 1
        here = lines[number - 1][start : start + _WIDEST] if number <= len(lines) else ""
        found = _WORD.match(here)
        return Mark(number, start + 1, len(found[0]) if found else 1)

    def mark_at(self, index: int) -> Mark:
        """The place of a character by its index."""
        before = _BREAKS.split(self.text[: min(index, _LONGEST)])
        return Mark(len(before), len(before[-1]) + 1)


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` or nothing."""
    close = get_close_matches(word[:64], list(known), 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def shown(value: object) -> str:
    """A value for a message: quoted, short, safe on a screen."""
    text = printable(str(value))
    return f'"{text[:77]}…"' if len(text) > 80 else f'"{text}"'


def _quoted(line: str, number: int, caret: int, width: int) -> list[str]:
    before, marked, after = (printable(line[part]) for part in _parts(caret, width))
    return [f"{number:5} | {before}{marked}{after}", f"      | {' ' * len(before)}{'^' * max(1, len(marked))}"]


def _parts(caret: int, width: int) -> tuple[slice, slice, slice]:
    return slice(0, caret), slice(caret, caret + width), slice(caret + width, None)
