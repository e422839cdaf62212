"""A real agent that may also be stopped, hurried, refused, and started by somebody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import yaml

from tests.agent.daemon import END_S, Daemon
from tests.containers import leaks
from tests.containers.programs import PROJECT

REFUSAL_S = 30.0
NOBODY = 65534
# As an ordinary user. It may read everything, because the interpreter may lie in root's home; it may write and load nothing.
ORDINARY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"),
)
# Where libbpf is not installed: the loader finds an empty file in its place.
NO_LIBBPF = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'for file in $(ldconfig -p | sed -n "s/.*libbpf.so.1.* => //p"); do \
    mount --bind /dev/null "$(readlink -f "$file")"; done; exec "$@"',
    "sh",
)


class Agent(Daemon):
    """See Daemon. `log` is its folder of logs, `rules` that of its policies."""

    def __init__(self, folder: Path, rules: Path, roots: Sequence[str], more: Mapping[str, Any] | None = None) -> None:
        super().__init__(folder, rules, roots, more)
        self.log = Path((more or {}).get("log", {}).get("folder", self.log))

    def port(self) -> int:
        """Where it serves metrics and health; 0: it has not said so yet."""
        return int(self.status()["metrics"][1]) if (self.log / "status.json").exists() else 0

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def end(self) -> int:
        """SIGTERM; its exit code. One that does not end in time says where it is."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            self._process.wait()
            raise AssertionError(f"it did not end:\n{self.said[-8000:]}") from None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It does not run meanwhile, as on a machine that has no time for it."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def looks_only_at(self, *roots: str) -> None:
        """At the state of these runtimes beside the usual ones."""
        self._set(node={"runtime_roots": list(roots)})

    def look_also_at(self, root: str) -> None:
        roots = yaml.safe_load(self.settings.read_text())["node"]["runtime_roots"]
        self.looks_only_at(*roots, root)

    def shows(self, output: str) -> None:
        """What it prints on its standard output."""
        self._set(output=output)

    def _set(self, **settings: Any) -> None:
        self.settings.write_text(yaml.safe_dump({**yaml.safe_load(self.settings.read_text()), **settings}))

    def begin(self, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Start it and don't wait for anything."""
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                self._command(), cwd=PROJECT, env=_environment(), stdin=subprocess.DEVNULL, stdout=stdout, stderr=said
            )
        return self._process

    def is_refused(self, *before: str) -> "subprocess.CompletedProcess[str]":
        """A start that is expected to fail. `before`: what the command line begins with: ORDINARY, NO_LIBBPF."""
        command = [*before, *self._command()]
        return subprocess.run(command, cwd=PROJECT, env=_environment(), capture_output=True, text=True, timeout=REFUSAL_S)

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "agent", "run", "--settings", str(self.settings)]


def page(port: int, name: str) -> str:
    """A page of an agent's own server, also where its status is no success."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
            return str(answer.read().decode())
    except HTTPError as refused:
        with refused:
            return str(refused.read().decode())


def metric(port: int, name: str) -> float:
    """One of its metrics: `metric(port, 'vedette_map_entries{map="flows"}')`; 0: it is not there yet."""
    values = (line.removeprefix(f"{name} ") for line in page(port, "metrics").splitlines() if line.startswith(f"{name} "))
    return float(next(values, 0))


def _environment() -> dict[str, str]:
    """Every count at every sweep: the tests hold them against what was done."""
    return {**os.environ, leaks.MARK: f"session:{os.getpid()}", "VEDETTE_SENSOR_ALL_COUNTS_S": "0"}
