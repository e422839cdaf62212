"""What a live view costs who has it open: `vedette top` on a terminal, beside a log that grows at a steady pace.

The log is written here, by the agent's own writer, not by an agent: so the pace is exact, and nobody else's containers are in it.
"""

import fcntl
import itertools
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from msgspec import structs

from agent.outputs.log import Log
from agent.outputs.stamp import boot_ns
from agent.status import write_status
from agent.top.follow import LOOK_BACK
from bench.machine import PROJECT
from bench.rows import Row, at_most, one
from bench.shop import Shop
from model.event import Event, Session
from model.origin import Container, Origin, Process
from tests.outputs import builders

PACE = 1000  # records a second
CONTAINERS = 40
BATCH_S = 0.05
WARM_S = 5.0
MEASURED_S, QUICK_S = 30.0, 8.0
PAGES = {"the table, 80x24": (80, 24, ""), "the table, 200x60": (200, 60, ""), "one container, 200x60": (200, 60, "\r")}


def measure(shop: Shop) -> Iterator[Row]:
    """Its CPU on three pages; how long it takes to show something of a log that is as long as it looks back."""
    with tempfile.TemporaryDirectory(prefix="top-", dir=shop.workshop.folder) as folder:
        writer = _Writer(Path(folder) / "log")
        for name, (width, height, keys) in PAGES.items():
            with _view(writer.folder, width, height) as (process, terminal):
                os.write(terminal, keys.encode())
                writer.run(WARM_S, terminal)
                spent_s, took_s, wrote = _measured(writer, process, terminal, QUICK_S if shop.quick else MEASURED_S)
                resident = process.memory_info().rss / 2**20
            note = f"{wrote / took_s:,.0f} records/s, {resident:.0f} MiB resident"
            yield one(f"top, {name}: its CPU", spent_s / took_s * 100, "% of a core", at_most(5), note)
        writer.fill(LOOK_BACK)
        yield one("top: from its call to its first frame, with all that it looks back at", _first_frame_s(writer.folder), "s")
        writer.close()


class _Writer:
    """The log of an agent that isn't there: this process stands for it in the status."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder, Log(folder, builders.WHERE)
        self._containers = [_container(number) for number in range(CONTAINERS)]
        self._events = itertools.count()
        self._status()

    def run(self, for_s: float, terminal: int) -> int:
        """PACE records a second; what is drawn meanwhile is read. How many it were."""
        began_s, wrote = time.monotonic(), 0
        while (now_s := time.monotonic() - began_s) < for_s:
            due = int(now_s * PACE) - wrote
            self._write(due)
            wrote += due
            _read(terminal, BATCH_S)
        self._status()
        return wrote

    def fill(self, size: int) -> None:
        """Until the log has so many bytes."""
        while sum(path.stat().st_size for path in self.folder.glob("activity-*")) < size:
            self._write(PACE)
            time.sleep(0.01)

    def close(self) -> None:
        self._log.close()

    def _write(self, count: int) -> None:
        told = [self._event(next(self._events)) for _ in range(count)]
        self._log.write_all([self._log.stamp.record(event, origin) for event, origin in told])

    def _event(self, number: int) -> tuple[Event, Origin]:
        """In turns: six opens, two peers, an exec, a count; each of another container and of one of its ten processes."""
        container, process = self._containers[number % CONTAINERS], _process(number)
        origin, now_ns, kind = Origin(container, process, ("/usr/sbin/nginx",)), boot_ns(), number // CONTAINERS % 10
        if kind < 6:
            return builders.open_(f"/var/lib/app/{number}", now_ns), origin
        if kind < 8:
            return builders.net(f"198.51.{number // 250 % 100}.{number % 250}", time_ns=now_ns), origin
        return (builders.exec_(process.path, now_ns) if kind == 8 else builders.flow_count(9, time_ns=now_ns)), origin

    def _status(self) -> None:
        listed = [{"id": one.id, "name": one.name, "image": one.image, "cgroup": one.cgroup_path} for one in self._containers]
        told = {"pid": os.getpid(), "time": time.time(), "ready": True, "containers": listed}
        write_status(self.folder, json.dumps(told))


def _container(number: int) -> Container:
    name, id_ = f"container-{number:03}", f"{number:064x}"
    return structs.replace(builders.container(name, id_=id_), cgroup=1000 + number, cgroup_path=f"/system.slice/{id_}.scope")


def _process(number: int) -> Process:
    slot = number // CONTAINERS // 10 % 10
    return Process(f"{number % CONTAINERS}-{slot}", 1000 + slot, 0, "/bin/sh", ("sh", "-c", "true"), Session.MAIN, 0, "")


@contextmanager
def _view(folder: Path, width: int, height: int) -> Iterator[tuple[psutil.Process, int]]:
    """The running view, and our end of its terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    command = [sys.executable, "-m", "agent", "top", "--log", str(folder)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    running = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield psutil.Process(running.pid), ours
        if running.poll() is not None:
            raise RuntimeError("the view has ended")
    finally:
        running.terminate()
        running.wait(10)
        os.close(ours)


def _measured(writer: _Writer, process: psutil.Process, terminal: int, for_s: float) -> tuple[float, float, int]:
    """CPU and wall seconds, and the records that were written."""
    before, began_s = process.cpu_times(), time.monotonic()
    wrote = writer.run(for_s, terminal)
    after = process.cpu_times()
    return sum(after[:2]) - sum(before[:2]), time.monotonic() - began_s, wrote


def _first_frame_s(folder: Path) -> float:
    began_s = time.monotonic()
    with _view(folder, 80, 24) as (_, terminal):
        while b"quit" not in _read(terminal, 1.0):
            if time.monotonic() - began_s > 60:
                raise RuntimeError("it showed nothing")
        return time.monotonic() - began_s


def _read(terminal: int, wait_s: float) -> bytes:
    return os.read(terminal, 1 << 16) if select.select([terminal], [], [], wait_s)[0] else b""
