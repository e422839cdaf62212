"""A real sensor with cgroups that are taken for containers, and programs run inside of them."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agent.sensor import layout
from agent.sensor.decode import Decoder
from agent.sensor.flows import Flows
from agent.sensor.loader import Sensor
from agent.sensor.reports import Reports
from model.event import Event, FlowCount, Open

Kind = TypeVar("Kind")
_ENTER = "import os, sys; open(sys.argv[1], 'w').write('0'); os.execv(sys.argv[2], sys.argv[2:])"
_numbers = itertools.count()


class Bench:
    """One sensor's rings and flows, with what came by kept until it is asked for."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.source = sensor.source()
        self.flows = Flows(sensor, Reports())
        self.decoder = Decoder()
        self._seen: list[Event] = []

    def close(self) -> None:
        self.flows.close()
        self.source.close()

    @contextmanager
    def container(self) -> Iterator["Box"]:
        folder = self.sensor.hierarchy.path / f"vedette-test-{os.getpid()}-{next(_numbers)}"
        folder.mkdir()
        box = Box(self, folder)
        try:
            yield box
        finally:
            self.flows.end(box.cgroup)
            wait(lambda: _gone(folder), "the cgroup can be removed")

    def events(self) -> list[Event]:
        while raws := self.source.poll(0):
            self._seen += self.decoder.all(raws)
        return self._seen


class Box:
    """A cgroup that the kernel takes for a container."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder, self.cgroup = bench, folder, folder.stat().st_ino
        bench.flows.decide(self.cgroup, layout.CONTAINER_YES)

    def run(self, *command: str, status: int = 0) -> None:
        program = [sys.executable, "-I", "-S", "-c", _ENTER, str(self.folder / "cgroup.procs"), *command]
        done = subprocess.run(program, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        assert done.returncode == status, command

    def saw(self, kind: type[Kind]) -> list[Kind]:
        """Events of this container so far, of one kind."""
        events = [it for it in self.bench.events() if isinstance(it, kind)]
        return [it for it in events if getattr(it, "actor").container == self.cgroup]  # noqa: B009 (not every kind has one)

    def opens_of(self, path: str) -> list[Open]:
        return [it for it in self.saw(Open) if it.file.path.endswith(path)]

    def counts(self) -> list[FlowCount]:
        return [it for it in self.bench.flows.sweep().counts if it.container == self.cgroup]


def wait(condition: Callable[[], bool], claim: str, deadline_s: float = 5) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, claim
        time.sleep(0.01)


def _gone(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
