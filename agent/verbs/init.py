"""`vedette init`: a first policy for a container, from what was recorded of it."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.outputs.reading import decode, files, lines
from agent.outputs.stamp import ACTIVITY, EVIDENCE
from agent.outputs.workload import image_name, label, workload
from agent.settings import SettingsError, load
from agent.verbs.progress import progress
from agent.verbs.refusal import refused
from model.behaviour import Behaviour
from model.draft import Draft, Workload, draft
from model.event import Gap
from model.origin import Container
from model.problem import PolicyError, nearest
from model.record import Record
from model.text import printable

WORKLOADS: Final = 8  # that one name may stand for, until it is said to be several
NAMES: Final = 4096  # of other containers, for the nearest one
GAPS: Final = 16_384
SHORTEST_ID: Final = 6
_GAP: Final = b'"kind":"gap"'
_ORIGIN: Final = b'"origin":{'
_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def init(container: str, file: Path | None, overrides: Mapping[str, Any], output: Path | None, *, as_json: bool) -> int:
    """The exit code: 0 where there is a policy, 2 where there is none to write."""
    try:
        settings = load(file, overrides=overrides)
        place = settings.log.folder
        if not files(place):
            return refused(f"{place}: no log in it", "--log FOLDER; the agent writes it")
        found = Found(container)
        found.read(place)
        problem = found.problem(place)
        return refused(*problem) if problem else _write(found.draft(), output, as_json=as_json)
    except PolicyError as error:
        return refused(f"the name {printable(container)} can't stand in a policy\n{error}")
    except (SettingsError, OSError) as error:
        return refused(error)


def _write(drafted: Draft, output: Path | None, *, as_json: bool) -> int:
    text = json.dumps(msgspec.to_builtins(drafted)) + "\n" if as_json else drafted.policy
    if output is None:
        sys.stdout.write(text)
    else:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
        sys.stderr.write(f"{output}: {len(drafted.rules)} rules of {drafted.facts.records} records: read it before you use it\n")
    return 0


class Found:
    """What a log has of the containers that a name stands for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._needle = msgspec.json.encode(name.rpartition("/")[2])[1:-1]  # stands in every line that has the name
        self._workloads: dict[str, tuple[Container, Behaviour]] = {}
        self._gaps: list[Record] = []  # of all containers: whose they are is known at the end
        self._more_gaps = 0
        self._damaged = 0

    def read(self, place: Path) -> None:
        """Activity first: of what was lost, the time is compared with that of the container's records."""
        for record in self._records(place, lambda line: self._needle in line or _GAP in line):
            if isinstance(record.event, Gap):
                self._keep_gap(record)
            elif record.origin is not None and self._is_meant(record.origin.container):
                self._behaviour(record.origin.container).see(record)

    def _records(self, place: Path, wanted: Callable[[bytes], bool]) -> Iterator[Record]:
        paths = list(dict.fromkeys(path for log in (ACTIVITY, EVIDENCE) for path in files(place, log)))  # a file is in both
        with progress("reading", paths) as bar:
            for path in paths:
                for _, line in lines(path):
                    bar.advance(len(line))
                    if wanted(line) and (record := self._decoded(line)):
                        yield record

    def _decoded(self, line: bytes) -> Record | None:
        try:
            record = decode(line)
        except _ERRORS:
            self._damaged += 1
            return None
        return record if isinstance(record, Record) else None

    def _keep_gap(self, record: Record) -> None:
        if len(self._gaps) < GAPS:
            self._gaps.append(record)
        else:
            self._more_gaps += 1

    def _is_meant(self, container: Container) -> bool:
        name = self._name
        pod = f"{container.pod.namespace}/{container.name}" if container.pod else ""
        return name in {container.name, container.id, label(container), pod} or (
            len(name) >= SHORTEST_ID and container.id.startswith(name)
        )

    def _behaviour(self, container: Container) -> Behaviour:
        of = workload(container)
        if of not in self._workloads and len(self._workloads) > WORKLOADS:
            of = next(iter(self._workloads))  # there are too many already: nothing is drafted of them
        return self._workloads.setdefault(of, (container, Behaviour()))[1]

    def problem(self, place: Path) -> tuple[str, str] | None:
        """Why there is nothing to draft, with a hint."""
        shown = printable(self._name)
        if len(self._workloads) > 1:
            names = sorted({f"{label(container)} ({image_name(container.image)})" for container, _ in self._workloads.values()})
            return f"{shown}: several workloads have this name", "name one of " + printable(", ".join(names[:WORKLOADS]))
        if self._workloads:
            return None
        labels = sorted({label(record.origin.container) for record in self._records(place, _any) if record.origin})
        near = nearest(self._name, labels[:NAMES]) or ("in this log: " + ", ".join(labels[:WORKLOADS]) if labels else "")
        return f"{shown}: {place} has no record of such a container", printable(near) or "is it the log of this node?"

    def draft(self) -> Draft:
        """The first policy of the one workload."""
        ((container, behaviour),) = self._workloads.values()
        for gap in self._gaps:
            behaviour.see(gap)
        for what, count in (("gaps beyond those that are kept", self._more_gaps), ("lines that are no records", self._damaged)):
            if count:
                behaviour.left_out[what] += count
        return draft(Workload(container.name or container.id, container.pod.namespace if container.pod else ""), behaviour)


def _any(line: bytes) -> bool:
    return _ORIGIN in line
