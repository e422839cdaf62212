"""What an agent wrote, read as it grows, asked by container, kind and conditions."""

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from agent.outputs.lines import UNICODE, line_of
from agent.outputs.reading import decode
from agent.outputs.spool import files_of
from agent.outputs.stamp import ACTIVITY, EVIDENCE
from model.event import Event, Exec, Open, Session
from model.record import Finding, Note, Record
from model.text import printable
from tests.containers.runc import Result

PATIENCE_S = 20.0
MARKS = "/dev/shm/mark-"  # rules/marks.yaml denies it: a finding that says that all before it is written
Kind: TypeAlias = type[Event] | tuple[type[Event], ...]


class Container(Protocol):
    """A box, a task of ctr, a pod's container."""

    name: str

    def exec(self, *argv: str) -> Result: ...


class Pages:
    """The lines of a log's folder, each once, as they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[Path, int], int] = {}  # file → bytes that were read

    def new(self) -> Iterator[Record | Finding | Note]:
        """What came since the last time."""
        for log in (ACTIVITY, EVIDENCE):
            for file in files_of(self._folder, log):
                yield from map(decode, self._lines(file.path))

    def _lines(self, path: Path) -> list[bytes]:
        key = (path, path.stat().st_ino)
        with path.open("rb") as file:
            file.seek(self._read.get(key, 0))
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        self._read[key] = self._read.get(key, 0) + len(whole)
        return whole.splitlines()


class Book:
    """All that an agent wrote: records by container, findings, notes. Containers are known by id, or by cgroup."""

    def __init__(self, folder: Path) -> None:
        self._pages = Pages(folder)
        self.records: defaultdict[str | int, list[Record]] = defaultdict(list)
        self.findings: list[Finding] = []
        self.notes: list[Note] = []

    def read(self) -> None:
        for entry in self._pages.new():
            if isinstance(entry, Finding):
                self.findings.append(entry)
            elif isinstance(entry, Note):
                self.notes.append(entry)
            elif entry.origin is not None:
                self.records[entry.origin.container.id or entry.origin.container.cgroup].append(entry)
            else:
                self.records[getattr(entry.event, "container", 0)].append(entry)


class Sight:
    """What an agent wrote of what happened since `since_ns` (boot time)."""

    def __init__(self, book: Book, since_ns: int) -> None:
        self._book, self._since_ns = book, since_ns
        self._marks = itertools.count()

    def sees(self, container: Container | int, kind: Kind, *, within_s: float = PATIENCE_S, **conditions: Any) -> Record:
        """The first record of that container and kind that fits; waits for it. A condition is a value or asks one."""
        deadline = time.monotonic() + within_s
        while True:
            for record in self.records(container, kind, **conditions):
                return record
            if time.monotonic() > deadline:
                wanted = f"{_name(kind)} {_shown(conditions)}"
                raise AssertionError(f"not recorded: {wanted}\n{self.told(container, kind)}")
            time.sleep(0.01)

    def records(self, container: Container | int, kind: Kind, **conditions: Any) -> list[Record]:
        """All that is written by now."""
        self._book.read()
        return [record for record in self._of(container) if isinstance(record.event, kind) and _fits(record, conditions)]

    def finding(self, container: Container | int, reason: str, *, within_s: float = PATIENCE_S, **conditions: Any) -> Finding:
        """The first finding of that container and reason that fits; waits for it."""
        deadline = time.monotonic() + within_s
        while True:
            for finding in self.findings(container):
                if finding.reason == reason and all(_asks(wanted, getattr(finding, n)) for n, wanted in conditions.items()):
                    return finding
            if time.monotonic() > deadline:
                raise AssertionError(f"no finding {reason} {_shown(conditions)}\n{self.told(container)}")
            time.sleep(0.01)

    def findings(self, container: Container | int) -> list[Finding]:
        """All that are written by now, but for marks."""
        self._book.read()
        ids = {record.id for record in self._of(container)}
        return [one for one in self._book.findings if one.record in ids and not one.subject.startswith(MARKS)]

    def settled(self, container: Container) -> None:
        """Everything that happened in it until now is written, in both logs: so is the mark that comes after it."""
        path = f"{MARKS}{os.getpid()}-{next(self._marks)}-{self._since_ns}"
        container.exec("touch", path)
        self.sees(container, Open, path=path)
        deadline = time.monotonic() + PATIENCE_S
        while not any(finding.subject == path for finding in self._book.findings):
            if time.monotonic() > deadline:
                raise AssertionError(f"the mark {path} made no finding\n{self.told(container)}")
            time.sleep(0.01)
            self._book.read()
        container.exec("rm", path)

    def told(self, container: Container | int, kind: Kind | None = None) -> str:
        """For people: what was recorded of it."""
        self._book.read()
        records = [one for one in self._of(container) if kind is None or isinstance(one.event, kind)] or self._of(container)
        ids = {record.id for record in self._of(container)}
        lines = [f"  {line_of(record, UNICODE, 150) or type(record.event).__name__}" for record in records[-60:]]
        found = [finding for finding in self._book.findings if finding.record in ids]
        lines += [f"  ✗ {one.reason} {printable(one.subject)} by {one.source or 'no policy'}, {one.count} times" for one in found]
        return "recorded:\n" + "\n".join(lines or ["  nothing"])

    def _of(self, container: Container | int) -> list[Record]:
        key = container if isinstance(container, int) else getattr(container, "id", container.name)
        return [record for record in self._book.records[key] if record.event.time_ns >= self._since_ns]


def _name(kind: Kind) -> str:
    return kind.__name__ if isinstance(kind, type) else " or ".join(one.__name__ for one in kind)


def _shown(conditions: dict[str, Any]) -> str:
    return ", ".join(f"{name}={'…' if callable(wanted) else repr(wanted)}" for name, wanted in conditions.items())


def _fits(record: Record, conditions: dict[str, Any]) -> bool:
    return all(_asks(wanted, _part(record, name)) for name, wanted in conditions.items())


def _asks(wanted: Any, found: Any) -> bool:
    return bool(wanted(found)) if callable(wanted) else bool(wanted == found)


_PARTS: dict[str, Callable[[Any], Any]] = {
    "path": lambda record: getattr(record.event.file, "path", None),
    "layer": lambda record: getattr(record.event.file, "layer", None),
    "flags": lambda record: getattr(record.event.file, "flags", None),
    "session": lambda record: record.event.actor.session,
    "pid": lambda record: record.event.actor.pid,
    "outcome": lambda record: record.verdict and record.verdict.outcome,
    "reason": lambda record: record.verdict and record.verdict.reason.value,
    "program": lambda record: record.origin.process and record.origin.process.path,
}


def _part(record: Record, name: str) -> Any:
    """A field of the event, or what is asked for most."""
    look = _PARTS.get(name)
    return look(record) if look else getattr(record.event, name)


def exec_of(agent: Sight, container: Container, path: str, **conditions: Any) -> Exec:
    """The event of a program that was executed in it."""
    event = agent.sees(container, Exec, path=path, session=lambda one: one is not Session.RUNTIME, **conditions).event
    assert isinstance(event, Exec)
    return event
