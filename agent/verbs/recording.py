"""`vedette replay RECORDING`: the same pipeline over recorded bytes. No root, no kernel."""

import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from typing import Any

import msgspec

from agent import app
from agent.lifecycle import Nothing
from agent.node.oci import Decision, State
from agent.outputs.metrics import Metrics
from agent.outputs.stamp import Clock
from agent.policies import policies_of
from agent.sensor.decode import Decoder
from agent.sensor.recording import LOST, Recording, RecordingError
from agent.sensor.reports import Reports
from agent.settings import Settings, SettingsError, load
from agent.turns import Turns
from agent.verbs.refusal import refused
from model.origin import Container
from model.record import Where


class RecordedRuntimes:
    """Answers as the recording agent was answered: by path, in the order of its decisions."""

    def __init__(self) -> None:
        self._by_path: defaultdict[str, deque[Decision]] = defaultdict(deque)
        self._paths: dict[int, str] = {}  # by cgroup
        self.lost = 0  # records and facts that the recording has no room for

    def add(self, fact: dict[str, Any]) -> None:
        """A decision of the recording, or a hole in it."""
        if isinstance(lost := fact.get(LOST), int):
            self.lost += lost
        if fact.get("container"):
            container = msgspec.convert(fact["container"], Container)
            decision = Decision(State(fact["state"]), container if container.id else None, tuple(fact["conflict"]))
            self._by_path[container.cgroup_path].append(decision)
            if fact["answer"] == container.cgroup:  # else it is nested in that container's
                self._paths[container.cgroup] = container.cgroup_path

    def path_of(self, cgroup: int) -> str:
        """The path of a cgroup that was there before the recording, so that its making is not in it; "" if none was noted."""
        return self._paths.get(cgroup, "")

    def decide(self, cgroup_path: str) -> Decision:
        """What was decided of it then; the host's where nothing was."""
        decisions = self._by_path.get(cgroup_path)
        if not decisions:
            return Decision(State.HOST)
        return decisions.popleft() if len(decisions) > 1 else decisions[0]


def replay(file: Path, settings_file: Path | None, overrides: Mapping[str, Any]) -> int:
    """The exit code."""
    with ExitStack() as stack:
        try:
            given = dict(overrides)
            if given["log.folder"] is None:
                given["log.folder"] = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vedette-replay-")))
            settings = load(settings_file, overrides=given, present=("policies.folder",))
            return _replay(file, settings, kept=overrides["log.folder"] is not None)
        except (SettingsError, RecordingError, OSError) as error:
            return refused(error)


def _replay(file: Path, settings: Settings, *, kept: bool) -> int:
    records = RecordedRuntimes()
    first = Recording(file, records.add)
    while not first.ended:
        first.poll(0)
    torn, header = first.torn_bytes, first.header
    first.close()
    place = Where(f"replay-{app.where(settings).agent}", header.boot, "replay")
    told = app.outputs(settings, place, Metrics(), clock=Clock(header.clock_offset_ns), kept=kept)
    policies = policies_of(settings.policies.folder, header.clock_offset_ns)
    node = app.node(settings, header.boot, records, records.path_of)
    decoder, reports = Decoder(header.code_variables, node.name), Reports(node.name)

    def counted(raw: bytes) -> None:
        firsts, counts = reports.all([raw], 0)
        for event in (*firsts, *(msgspec.structs.replace(count, time_ns=count.last_ns) for count in counts)):
            pipeline.see(event)  # a sweep's own time is not recorded: its counts are told as of the last hit

    around = app.Around(Nothing(), lambda *_: None, _nobody, _nobody, lambda _fact: None, _failed)
    pipeline, life = app.pipeline(decoder, node, policies, told, around)
    source = Recording(file, lambda _fact: None, counted)
    Turns(source, pipeline, [], lambda _name, error: _failed(error)).run(Flag())
    life.close()
    told.close(30.0)
    source.close()
    for problem in policies.problems:
        sys.stderr.write(f"vedette: {problem}\n")
    if torn:
        sys.stderr.write(f"vedette: {file}: the last {torn} bytes are torn: the recording was cut\n")
    if records.lost:
        sys.stderr.write(
            f"vedette: {file}: {records.lost} records are missing in it: its disk was slow, or it reached its size\n"
        )
    return 1 if policies.problems else 0


def _failed(error: Exception) -> None:
    sys.stderr.write(f"vedette: an event failed: {error!r}\n")


def _nobody(flows: object) -> None:
    """No kernel has to know of these flows."""
    del flows
