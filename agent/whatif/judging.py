"""Judges a log's lines again: each distinct (container, key, verdict before) once.

Origins and verdicts are looked up by the bytes that they are written in: the same process does many things in a row, and
decoding them costs more than all the rest.
"""

from collections.abc import Iterable
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct

from agent.outputs.spool import LINE_LIMIT
from agent.outputs.workload import label
from agent.policies import Policies
from agent.whatif.facts import BESIDE, KEYS, NEVER
from agent.whatif.tally import Row, Tally, Word, compare
from model.event import Event, Exec, FlowCount, Gap, Many
from model.judge import Compiled, judge
from model.origin import Container, Origin
from model.verdict import Depends, Verdict

KNOWN: Final = 32_768  # judged behaviours that are kept: 30 MiB
ORIGINS: Final = 4096  # processes
CONTAINERS: Final = 4096
WORDS: Final = 4096  # verdicts of the log
ARGV_BYTES: Final = 4096  # of more arguments the record has the beginning
_ARGV: Final = int(Depends.ARGV)
_NOBODY: Final = Word()
_NULL: Final = Raw(b"null")
_UNSEEN: Final = object()
_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

K = TypeVar("K")
V = TypeVar("V")


class _Where(Struct, gc=False):
    boot: str


class _Line(Struct, gc=False):
    """A record; or, where `kind` is not empty, a finding or a note."""

    id: str
    where: _Where
    event: Event | None = None  # None in findings and notes
    origin: Raw = _NULL
    verdict: Raw = _NULL
    kind: str = ""


class _Judges(NamedTuple):
    """Of one container as it is written: one whose image or name changed is another."""

    number: int  # never given again
    container: str  # for people
    new: Compiled
    old: Compiled | None


_line = msgspec.json.Decoder(_Line)
_origin = msgspec.json.Decoder(Origin)
_word = msgspec.json.Decoder(Word | None)


class Rejudge:
    """`new` against what the records say, or against `old`. Feed it the lines in the order of the log."""

    def __init__(self, new: Policies, old: Policies | None = None) -> None:
        self.tally = Tally()
        self._new, self._old = new, old
        self._numbers = count()
        self._known: dict[tuple[object, ...], Row | None] = {}
        self._origins: dict[bytes, tuple[Origin, _Judges]] = {}
        self._judges: dict[Container, _Judges] = {}
        self._words: dict[bytes, Word] = {}

    def lines(self, lines: Iterable[tuple[int, bytes]], name: str) -> None:
        """Whole lines with their numbers. `name` is their file's, for what is no record."""
        for number, line in lines:
            try:
                if len(line) > LINE_LIMIT:
                    raise msgspec.DecodeError(f"longer than {LINE_LIMIT} bytes")
                self._one(_line.decode(line))
            except _ERRORS as error:
                self.tally.cannot("lines", "they are no records that this version can read", 1, f"{name}:{number}: {error}")

    def _one(self, line: _Line) -> None:
        if line.kind:
            return
        self.tally.records += 1
        self.tally.boot(line.where.boot)
        event = line.event
        if type(event) in KEYS:
            self._flow(line, event)
        elif type(event) is FlowCount:
            self.tally.counted(event, line.id)
        elif type(event) is Gap:
            self.tally.cannot(f"{event.what or 'all'} events", f"not itemised: {event.place}", event.count, line.id)
        elif event is None:
            raise msgspec.DecodeError("neither an event nor a kind")
        elif type(event) not in NEVER:
            self._other(line, event)

    def _flow(self, line: _Line, event: Any) -> None:  # noqa: ANN401 - one of KEYS
        raw = bytes(line.origin)
        if raw == b"null":
            self.tally.cannot(f"{event.__struct_config__.tag} records", "nobody knows their container", 1, line.id)
            return
        origin, judges = self._origins.get(raw) or self._origin_of(raw)
        before = self._before(line)
        key = judges.number, before, KEYS[type(event)](event)
        row: Any = self._known.get(key, _UNSEEN)
        if row is _UNSEEN:
            row, is_sure = self._judge(line.id, event, origin, judges, before)
            if is_sure:
                _keep(self._known, key, row, KNOWN)
        self.tally.itemised(row, getattr(event, "flow", b""), getattr(event, "standing", False))

    def _origin_of(self, raw: bytes) -> tuple[Origin, _Judges]:
        origin = _origin.decode(raw)
        container = origin.container
        judges = self._judges.get(container)
        if judges is None:
            old = self._old.compiled(container) if self._old else None
            judges = _Judges(next(self._numbers), label(container), self._new.compiled(container), old)
            _keep(self._judges, container, judges, CONTAINERS)
        return _keep(self._origins, raw, (origin, judges), ORIGINS)

    def _before(self, line: _Line) -> Word:
        """What the record says; nothing where others are asked."""
        if self._old:
            return _NOBODY
        raw = bytes(line.verdict)
        return self._words.get(raw) or _keep(self._words, raw, _word.decode(raw) or _NOBODY, WORDS)

    def _other(self, line: _Line, event: Event) -> None:
        """A kind of which no key is known: judged for itself."""
        if isinstance(event, Many):
            self.tally.cannot("files below some folders", "from there on they were only counted", -1, line.id)
        raw = bytes(line.origin)
        if raw != b"null":
            row, _ = self._judge(line.id, event, *self._origin_of(raw), self._before(line))
            self.tally.itemised(row, getattr(event, "flow", b""), getattr(event, "standing", False))

    def _judge(self, id_: str, event: Event, origin: Origin, judges: _Judges, before: Word) -> tuple[Row | None, bool]:
        """The row, and whether equal keys give the same one."""
        new = judge(judges.new, event, origin)
        old = judge(judges.old, event, origin) if judges.old else None
        depends = int(new.depends) | int(old.depends if old else 0)
        if depends & _ARGV and isinstance(event, Exec):
            self._doubt_arguments(id_, event)
        before, now = text_of(old) if old else before, text_of(new)
        change = compare(before, now)
        row = self.tally.row(change, judges.container, before, now, id_, event) if change else None
        return row, not depends & BESIDE

    def _doubt_arguments(self, id_: str, event: Exec) -> None:
        if not 0 <= event.argv_bytes <= ARGV_BYTES:
            self.tally.cannot("arguments of exec records", "the record does not have all of them", 1, id_)
        elif any("[redacted:" in word for word in event.argv):
            self.tally.cannot("arguments of exec records", "secrets in them were redacted", 1, id_)


def _keep(table: dict[K, V], key: K, value: V, limit: int) -> V:
    """A table that is full begins anew: what comes back is looked at once more."""
    if len(table) >= limit:
        table.clear()
    table[key] = value
    return value


def text_of(verdict: Verdict) -> Word:
    """A verdict as it is written."""
    return Word(verdict.outcome, verdict.mode, verdict.reason, verdict.rule, verdict.policy)
