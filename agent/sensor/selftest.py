"""Load is not attach, and attach is not hit: at the start a child in a scratch cgroup does what the hooks must see.

The child execs, opens a file and connects to a closed port of the loopback. What else comes by the rings meanwhile is
handed back, so that nothing is lost to the test.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.sensor import layout
from agent.sensor.decode import DecodeError, Decoder
from agent.sensor.features import SensorError
from agent.sensor.flows import Flows
from agent.sensor.loader import Sensor
from agent.sensor.source import Source
from model import event
from model.event import Event

_ACTS = """
import socket, sys
open(sys.argv[1]).close()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), 1)
except OSError:
    pass
"""
_ENTER = """
import os, sys
with open(sys.argv[1], "w") as procs:
    procs.write("0")
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", *sys.argv[2:]])
"""
_HOOKS = {"exec": "tp_btf/sched_process_exec", "open": "tp_btf/sys_exit", "connect": "cgroup/connect4"}
_WAIT_S = 0.05


class NotReady(SensorError):  # noqa: N818 (a state, told to people)
    """A hook that is in place did not fire."""


@dataclass
class _Watch:
    """What is still to be seen, and what was not ours."""

    cgroup: int
    port: int
    awaited: set[str]
    others: list[bytes] = field(default_factory=list)
    decoder: Decoder = field(default_factory=Decoder)

    def take(self, raw: bytes) -> None:
        try:
            seen = self.decoder.decode(raw)
        except DecodeError:
            self.others.append(raw)
            return
        if self._is_ours(seen):
            self.awaited.discard(self._act(seen))
        else:
            self.others.append(raw)

    def _is_ours(self, seen: Event) -> bool:
        if isinstance(seen, event.Cgroup):
            return seen.id == self.cgroup
        actor = getattr(seen, "actor", None)
        return actor is not None and actor.container == self.cgroup

    def _act(self, seen: Event) -> str:
        if isinstance(seen, event.Exec):
            return "exec"
        if isinstance(seen, event.Open) and seen.file.path.endswith(Path(__file__).name):
            return "open"
        return "connect" if isinstance(seen, event.Net) and seen.port == self.port else ""


def check(sensor: Sensor, flows: Flows, source: Source, deadline_s: float = 10) -> list[bytes]:
    """Raises NotReady naming the hooks that saw nothing. Gives back the records of others, to be handled as usual."""
    with _scratch(sensor.hierarchy.path) as folder, _closed_port() as port:
        cgroup = folder.stat().st_ino
        flows.decide(cgroup, layout.CONTAINER_YES)
        gone = {hook.place for hook in sensor.missing()}
        watch = _Watch(cgroup, port, {act for act, place in _HOOKS.items() if place not in gone})
        with _child(folder, port):
            _until_seen(watch, source, time.monotonic() + deadline_s)
        for raw in source.poll(0):  # its end: nobody's container
            watch.take(raw)
    flows.end(cgroup)
    if watch.awaited:
        silent = ", ".join(f"{_HOOKS[act]} ({act})" for act in sorted(watch.awaited))
        raise NotReady(f"in place, but saw nothing within {deadline_s:g} s: {silent}\nhint: `vedette status` lists all hooks")
    return watch.others


def _until_seen(watch: _Watch, source: Source, deadline: float) -> None:
    while watch.awaited and time.monotonic() < deadline:
        for raw in source.poll(_WAIT_S):
            watch.take(raw)


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    folder = root / f"vedette-selftest-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        _removed(folder)


def _removed(folder: Path) -> None:
    """A cgroup can be removed once its last process is reaped, which is a moment after our wait for it."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.01)


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port that is bound, so that nobody else takes it, and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def _child(folder: Path, port: int) -> Iterator[None]:
    arguments = [str(folder / "cgroup.procs"), _ACTS, __file__, str(port)]
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", _ENTER, *arguments], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        with suppress(subprocess.TimeoutExpired):
            child.wait(2)
        child.kill()
        child.wait()
