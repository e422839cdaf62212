"""The live set of policies: read a folder, keep the last good set in force, compile it for each container.

A bad file changes nothing: the set that was in force stays, and `problems` says what is wrong. So with a vanished folder.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.texts import text_of
from model.event import Event
from model.judge import Compiled, build, judge, select
from model.origin import Container, Origin
from model.policy import Policy, parse
from model.problem import PolicyError, Problem
from model.verdict import Verdict

FILES = 4096
COMPILED = 4096  # containers whose compiled policies are kept


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The policy files among and below these paths, in the order of their names.

    Not those in a folder `examples` below, which are to be copied, nor tests (*.test.yaml).
    """
    found: list[Path] = []
    for path in paths:
        found += [path] if not path.is_dir() else [file for file in sorted(path.rglob("*.y*ml")) if _counts(path, file)]
    return found[:FILES]


def _counts(folder: Path, file: Path) -> bool:
    inside = file.relative_to(folder).parts[:-1]
    return file.suffix in (".yaml", ".yml") and not file.name.endswith(".test.yaml") and "examples" not in inside


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


def policies_of(folder: Path) -> "Policies":
    """Those of a folder as it is now, for a verb that needs no agent. A default folder need not exist: none of that."""
    policies = Policies([folder] if folder.exists() else [])
    policies.load()
    return policies


class Policies:
    """The set in force. Belongs to the loop."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._policies: tuple[Policy, ...] = ()
        self._compiled: OrderedDict[int, tuple[Container, Compiled]] = OrderedDict()
        self._built: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()  # by which policies are in it
        self.generation = 0
        self.offset_ns: int | None = None  # Unix time minus boot time; None: no exception is in force, for nobody knows the day
        self.problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self._policies)

    def load(self) -> bool:
        """Read the folders again. True: a new set is in force, with a new generation."""
        missing = [folder for folder in self._folders if not folder.exists()]
        policies, problems, _ = read(folder for folder in self._folders if folder.exists())
        gone = "the policy folder is gone: the last policies stay in force" if self.generation else "there is no such folder"
        problems += [Problem(str(folder), 1, 1, gone, hint="make it, or name another one: policies.folder") for folder in missing]
        self.problems = tuple(problems)
        if problems and self.generation:
            return False
        if self.generation and tuple(policies) == self._policies:
            return False
        self._policies = tuple(policies)
        self._compiled.clear()
        self._built.clear()
        self.generation += 1
        return True

    def compiled(self, container: Container) -> Compiled:
        """The policies that select this container, as tables. Kept until its identity or the set changes."""
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
        selected = select(self._policies, container)
        which = tuple(map(id, selected))  # objects of this generation, all of them alive
        tables = self._built.get(which)
        if tables is None:
            tables = self._built[which] = build(selected, self.generation, self.offset_ns)
            if len(self._built) > COMPILED:
                self._built.popitem(last=False)
        return tables

    def judge(self, event: Event, origin: Origin) -> Verdict | None:
        """What the set says of an event."""
        return judge(self.compiled(origin.container), event, origin)
