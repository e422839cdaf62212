"""The measured process: the agent with its default settings and the rules that we ship, writing its log to the disk.

Only what it would print is left out (`--output none`): people at a terminal and journals differ too much. And its counts are told
at every sweep, not only when they doubled or once a minute, so that they can be held against what was done: that is dearer.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import psutil

from bench.machine import PROJECT
from bench.tally import Tally

START_S = 60.0
SETTLE_S = 60.0
END_S = 15.0


class Agent:
    """A context: ready inside, gone after. Raises RuntimeError with its own words where it doesn't start."""

    def __init__(
        self, folder: Path, runtime_root: Path, policies: Path | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.log = folder / "log"
        self._said = folder / "said"
        rules = policies or PROJECT / "rules"
        options = ["--log", str(self.log), "--policies", str(rules), "--output", "none", "--port", "0"]
        self._command = [sys.executable, "-m", "agent", "run", *options, "--runtime-root", f"runc:{runtime_root}"]
        self._environment = {**os.environ, "VEDETTE_SENSOR_ALL_COUNTS_S": "0", **(settings or {})}
        self.tally = Tally(self.log)

    def __enter__(self) -> Self:
        self.begun_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with self._said.open("wb") as said:
            self._running = subprocess.Popen(
                self._command, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self._process = psutil.Process(self._running.pid)
        try:
            self.until(lambda: bool(self.status().get("ready")), START_S, "ready")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(END_S)
        except subprocess.TimeoutExpired:
            self._kill()
            raise

    def _kill(self) -> None:
        self._running.kill()
        self._running.wait()

    @property
    def pid(self) -> int:
        """Its main process."""
        return self._running.pid

    def status(self) -> dict[str, Any]:
        """What it last told of itself; empty before it did."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.log / "status.json").read_text())
            if told["pid"] == self._running.pid:
                return told
        return {}

    def metrics(self) -> str:
        """Its page for Prometheus."""
        address, port = self.status()["metrics"]
        with urlopen(f"http://{address}:{port}/metrics", timeout=10) as page:
            text: bytes = page.read()
        return text.decode()

    def cpu_s(self) -> float:
        """CPU seconds of it, all threads and its worker included."""
        return float(sum(sum(times[:4]) for times in self._family_times()))

    def _family_times(self) -> Iterator[Any]:
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                yield process.cpu_times()

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def resident_bytes(self) -> tuple[int, int]:
        """Resident memory of it, and of its worker."""
        own, *workers = (process.memory_info().rss for process in self._family())
        return own, sum(workers)

    @property
    def age_s(self) -> float:
        """Seconds since it was called."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.begun_ns) / 1e9

    def settle(self) -> Tally:
        """Wait until everything that happened before this call is in the log, counts included; what the log then says."""
        for _ in range(2):  # the first sweep reads the counts, the second one tells that they are written
            self.until(partial(self._swept_since, time.time()), SETTLE_S, "through with its sweep")
        return self.tally.read()

    def _swept_since(self, time_s: float) -> bool:
        return bool(self.status().get("time", 0) > time_s)

    def until(self, true: Callable[[], bool], patience_s: float, what: str) -> None:
        """Wait for it. Raises RuntimeError with the agent's own words if it doesn't become true, or the agent ends."""
        until_s = time.monotonic() + patience_s
        while not true():
            if self._running.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"the agent is not {what}:\n{self._said.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)
