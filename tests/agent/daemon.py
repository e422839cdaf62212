"""A real `python -m agent run`, from its start to its end by its pid."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from agent.outputs.reading import read
from model.record import Note
from tests.containers import leaks
from tests.containers.programs import PROJECT

START_S = 60.0  # a loaded machine: the verifier alone takes seconds
END_S = 20.0
SWEEP_S = 0.5


class Daemon:
    """`with Daemon(folder, rules, roots) as agent:` runs it, ready. `folder` holds its log, settings and what it said."""

    def __init__(
        self,
        folder: Path,
        rules: Path,
        roots: Sequence[str],
        more: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.folder, self.rules, self.log = folder, rules, folder / "log"
        self._arguments = tuple(arguments)
        self.settings = folder / "settings.yaml"
        self._said = folder / "said"
        self.settings.write_text(yaml.safe_dump(_settings(self.log, rules, roots, more or {})))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start(*self._arguments)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """What it wrote on its standard error."""
        return self._said.read_text()

    def start(self, *arguments: str) -> None:
        """Start it and wait until it is ready: a note `start` that was not there before."""
        before = self._starts()
        environment = {**os.environ, leaks.MARK: f"session:{os.getpid()}"}
        command = [sys.executable, "-m", "agent", "run", "--settings", str(self.settings), *arguments]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
        deadline = time.monotonic() + START_S
        while self._starts() == before:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the agent did not start:\n{self.said[-4000:]}")
            time.sleep(0.05)

    def _starts(self) -> int:
        return len(self.notes("start"))

    def notes(self, kind: str) -> list[Note]:
        """What it said of itself."""
        return [entry for entry in read(self.log, "evidence") if isinstance(entry, Note) and entry.kind == kind]

    def end(self) -> int:
        """SIGTERM, as a service manager ends it; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def verb(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another verb of the command line on this agent's folders, to its end. Without any capability."""
        bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        command = [*bare, sys.executable, "-m", "agent", *arguments]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)

    def status(self) -> dict[str, Any]:
        """Its last account of itself."""
        told: dict[str, Any] = json.loads((self.log / "status.json").read_text())
        return told


def _settings(log: Path, rules: Path, roots: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "output": "none",
        "log": {"folder": str(log)},
        "policies": {"folder": str(rules)},
        "metrics": {"port": 0},
        "node": {"runtime_roots": list(roots)},
        "sensor": {"sweep_interval_s": SWEEP_S, "all_counts_s": 0},
        **more,
    }
