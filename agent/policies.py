"""The live set of policies: read a folder, keep the last good set in force, compile it for each container.

A bad file changes nothing: the set that was in force stays, and `problems` says what is wrong. So with a vanished folder.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from agent.texts import text_of
from model.event import Event
from model.judge import Compiled, build, judge, select
from model.origin import Container, Origin
from model.policy import Policy, parse
from model.problem import PolicyError, Problem
from model.verdict import Verdict

FILES = 4096
COMPILED = 4096  # containers whose compiled policies are kept
_READS = 4


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The policy files among and below these paths, in the order of their names.

    Not those in a folder `examples` below, which are to be copied, nor tests (*.test.yaml), nor what is hidden: the folders in
    which Kubernetes keeps what it links to, and what editors keep beside a file.
    """
    found: list[Path] = []
    for path in paths:
        found += [path] if not path.is_dir() else [file for file in sorted(path.rglob("*.y*ml")) if _counts(path, file)]
    return found[:FILES]


def _counts(folder: Path, file: Path) -> bool:
    inside = file.relative_to(folder).parts
    if any(part.startswith(".") for part in inside) or "examples" in inside[:-1]:
        return False
    return file.suffix in (".yaml", ".yml") and not file.name.endswith(".test.yaml")


class ReadPolicies(NamedTuple):
    """What files hold: the policies, all that is wrong, and the texts by name, to quote from."""

    policies: list[Policy]
    problems: list[Problem]
    texts: dict[str, str]


def read(paths: Iterable[Path]) -> ReadPolicies:
    """All policies of these files and folders, and all that is wrong in them. A file with a problem gives no policy."""
    found = ReadPolicies([], [], {})
    for file in files_of(paths):
        try:
            text = found.texts[str(file)] = text_of(file)
            found.policies.extend(parse(text, str(file)))
        except PolicyError as error:
            found.problems.extend(error.problems)
    return found


class Found(NamedTuple):
    """What the policy folders hold at one moment: which of them are there, and what `read` makes of these."""

    missing: tuple[Path, ...]
    read: ReadPolicies


def find(folders: Sequence[Path]) -> Found:
    """Read the folders, and again where they changed meanwhile: half of an old set and half of a new one is neither.

    Touches nothing but files: any thread may call it. Some seconds for a thousand policies.
    """
    for _ in range(_READS):
        before = _stamps(folders)
        missing = tuple(folder for folder in folders if not folder.exists())
        found = Found(missing, read(folder for folder in folders if folder not in missing))
        if _stamps(folders) == before:
            break
    return found


def _stamps(folders: Sequence[Path]) -> list[tuple[str, int, int, int]]:
    """Changes whenever a file is written, replaced, added or removed; of a link, what it leads to counts."""
    stamps = []
    for file in files_of(folder for folder in folders if folder.exists()):
        try:
            seen = file.stat()
        except OSError:
            continue
        stamps.append((os.fspath(file), seen.st_ino, seen.st_mtime_ns, seen.st_size))
    return stamps


def policies_of(folder: Path, offset_ns: int | None = None) -> "Policies":
    """Those of a folder as it is now, for a verb that needs no agent. A default folder need not exist: none of that."""
    policies = Policies([folder] if folder.exists() else [], offset_ns)
    policies.load()
    return policies


class Change(Struct, frozen=True):
    """A new set is in force. Policies are named by their ids."""

    before: int  # generation; 0: there was none
    generation: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    previous: "Set"


class Set:
    """Policies of one generation, compiled for each container that is asked for."""

    def __init__(self, policies: Sequence[Policy], generation: int, offset_ns: int | None = None) -> None:
        self.policies, self.generation, self._offset_ns = tuple(policies), generation, offset_ns
        self._compiled: OrderedDict[int, tuple[Container, Compiled]] = OrderedDict()
        self._built: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()  # by which policies are in it

    def compiled(self, container: Container) -> Compiled:
        """The policies that select this container, as tables. Kept until its identity changes."""
        kept = self._compiled.get(container.cgroup)
        if kept is not None and kept[0] is container:
            return kept[1]
        tables = self._tables_of(container)
        self._compiled[container.cgroup] = (container, tables)
        if len(self._compiled) > COMPILED:
            self._compiled.popitem(last=False)
        return tables

    def _tables_of(self, container: Container) -> Compiled:
        """Shared by all containers that the same policies select: short ones come by the thousand."""
        selected = select(self.policies, container)
        which = tuple(map(id, selected))  # objects of this generation, all of them alive
        tables = self._built.get(which)
        if tables is None:
            tables = self._built[which] = build(selected, self.generation, self._offset_ns)
            if len(self._built) > COMPILED:
                self._built.popitem(last=False)
        return tables

    def judge(self, event: Event, origin: Origin) -> Verdict | None:
        """What it says of an event."""
        return judge(self.compiled(origin.container), event, origin)


class Policies:
    """The set in force. Belongs to the loop.

    `offset_ns` is Unix time minus boot time; without it no exception is in force, for nobody knows the day.
    """

    def __init__(self, folders: Sequence[Path], offset_ns: int | None = None) -> None:
        self.folders, self._offset_ns = tuple(folders), offset_ns
        self._now = Set((), 0)
        self.problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self._now.policies)

    @property
    def generation(self) -> int:
        """Of the set in force; 0: nothing was read yet."""
        return self._now.generation

    def load(self) -> bool:
        """Read the folders again, here and now. True: a new set is in force, with a new generation."""
        return self.take(find(self.folders)) is not None

    def take(self, found: Found) -> Change | None:
        """Put in force what was read, unless there is a problem in it, or nothing new. At the start what is good counts."""
        gone = "the policy folder is gone: the last policies stay in force" if self._now.policies else "there is no such folder"
        hint = "make it, or name another one: policies.folder"
        missing = [Problem(str(folder), 1, 1, gone, hint=hint) for folder in found.missing]
        self.problems = (*found.read.problems, *missing)
        policies = tuple(found.read.policies)
        if self.generation and (self.problems or policies == self._now.policies):
            return None
        previous, self._now = self._now, Set(policies, self.generation + 1, self._offset_ns)
        return _change(previous, self._now)

    def compiled(self, container: Container) -> Compiled:
        """The policies that select this container, as tables."""
        return self._now.compiled(container)

    def judge(self, event: Event, origin: Origin) -> Verdict | None:
        """What the set says of an event."""
        return self._now.judge(event, origin)


def _change(previous: Set, now: Set) -> Change:
    """Several policies may have one id: together they are one."""
    before, after = _by_id(previous.policies), _by_id(now.policies)
    return Change(
        previous.generation,
        now.generation,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in after.keys() & before.keys() if after[name] != before[name])),
        previous=previous,
    )


def _by_id(policies: Iterable[Policy]) -> dict[str, list[Policy]]:
    by_id: dict[str, list[Policy]] = {}
    for policy in policies:
        by_id.setdefault(policy.id, []).append(policy)
    return by_id
