"""Boxes: real runc containers on an overlay over the session's image."""

import json
import os
import pty
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tests.containers import cgroups, mounts, processes, spec
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop

TELLING = ('{"verb":', '{"work":')
START_S = 20.0  # a loaded machine starts a box in a second; this is for a hung one


@dataclass(frozen=True)
class Result:
    """How a program inside a container ended. Text keeps undecodable bytes as surrogates."""

    code: int
    out: str
    err: str
    facts: list[dict[str, Any]] = field(default_factory=list)  # the lines of `out` that attack, bulk and dynamic tell

    @classmethod
    def of(cls, code: int, out: bytes, err: bytes) -> Self:
        text = out.decode(errors="surrogateescape")
        facts = [json.loads(line) for line in text.splitlines() if line.startswith(TELLING)]
        return cls(code, text, err.decode(errors="surrogateescape"), facts)


class MakeBox(Protocol):
    """The fixture `box`: makes a box and starts it; it lives as long as the test."""

    def __call__(self, recipe: Recipe = ..., /) -> "Box": ...


class Box:
    """One container. `with Box(workshop, Recipe(…)) as box:` starts it and removes all of it at the end.

    `folder` is its bundle (config.json, upper, work, root), `runtime_root` holds runc's state.json.
    """

    def __init__(self, workshop: Workshop, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or Recipe()
        self.name = self.recipe.name or f"box-{secrets.token_hex(4)}"
        self.cgroup = f"{self.recipe.cgroup_parent}/{self.name}"
        self.runtime_root = workshop.runtime_root
        self.folder = workshop.boxes / self.name
        self.root, self.upper, self.lower = self.folder / "root", self.folder / "upper", workshop.image
        self.pid = 0
        self._console: int | None = None
        if (cgroups.v2_root() / self.cgroup.lstrip("/")).exists():
            raise RuntimeError(f"a cgroup {self.cgroup} exists already: another session's, or left behind")

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def make(self) -> None:
        """Write the bundle and mount the root; nothing runs yet."""
        for part in (self.root, self.upper, self.folder / "work"):
            part.mkdir(parents=True)
        options = f"lowerdir={self.lower},upperdir={self.upper},workdir={self.folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.root], check=True)
        (self.folder / "config.json").write_text(json.dumps(spec.config(self.recipe, self.name, self.root, self.cgroup)))

    def start(self) -> Self:
        """Start it in the background; returns when its own program runs (or already ended)."""
        self.make()
        pid_file = self.folder / "pid"
        command = [*self._runc("run"), "--detach", "--pid-file", str(pid_file), "--bundle", str(self.folder)]
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            if self.recipe.terminal:
                self._console = _with_console(self.folder / "console", command, self.name)
            else:
                subprocess.run([*command, self.name], stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=START_S)
        if not pid_file.exists():
            raise RuntimeError(f"runc run {self.name} failed: {(self.folder / 'err').read_text()}")
        self.pid = int(pid_file.read_text())
        self._wait_for_handover()
        return self

    def run(self) -> Result:
        """Run its program to the end, in the foreground, and remove the box."""
        command = [*self._runc("run"), "--bundle", str(self.folder), self.name]
        try:
            self.make()
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            return Result.of(done.returncode, done.stdout, done.stderr)
        finally:
            self.remove()

    def exec(
        self, *argv: str, stdin: bytes = b"", env: dict[str, str] | None = None, user: int = 0, timeout_s: float = 120
    ) -> Result:
        """Run a program in it from outside (`runc exec`) to the end."""
        command = [*self._exec_command(env, user), self.name, *argv]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s)
        return Result.of(done.returncode, done.stdout, done.stderr)

    def popen(self, *argv: str, env: dict[str, str] | None = None, user: int = 0) -> "subprocess.Popen[bytes]":
        """The same in the background: a `runc exec` with its three streams as pipes, for the caller to end."""
        command = [*self._exec_command(env, user), self.name, *argv]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def command_of(self, *argv: str) -> list[str]:
        """The command that runs a program in it, for who starts it in another way."""
        return [*self._exec_command(None, 0), self.name, *argv]

    def shell(self, *argv: str) -> Result:
        """Run a program with a terminal, as a person would: `runc exec -t`. `out` is what the terminal showed."""
        master, slave = pty.openpty()
        try:
            command = [*self._exec_command(None, 0), "--tty", self.name, *argv]
            with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as running:
                os.close(slave)
                shown = _read_all(master)
            return Result.of(running.returncode, shown, b"")
        finally:
            os.close(master)

    def attack(self, verb: str, *args: str, user: int = 0) -> list[dict[str, Any]]:
        """Run a verb of tests/programs in it; gives its steps. Raises AssertionError if any step of it failed."""
        result = self.exec("/usr/bin/attack", verb, *args, user=user)
        if result.code:
            raise AssertionError(f"attack {verb} {' '.join(args)} ended with {result.code}:\n{result.out}{result.err}")
        return result.facts

    def _exec_command(self, env: dict[str, str] | None, user: int) -> list[str]:
        options = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return [*self._runc("exec"), "--user", str(user), *options]

    def _runc(self, verb: str) -> list[str]:
        prefix = cgroups.V2_ALONE if self.recipe.v2_alone else ()
        return [*prefix, "runc", "--root", str(self.runtime_root), verb]

    def _wait_for_handover(self) -> None:
        """`runc run --detach` returns when runc's init may go on, a moment before it executes the container's program."""
        deadline = time.monotonic() + START_S
        while "runc" in processes.exe(self.pid):
            if time.monotonic() > deadline:
                raise TimeoutError(f"box {self.name}: its program did not start: {(self.folder / 'err').read_text()}")
            time.sleep(0.001)

    @property
    def cgroup_id(self) -> int:
        return cgroups.identity(self.cgroup)

    @property
    def out(self) -> str:
        """What its own program wrote so far."""
        return (self.folder / "out").read_text(errors="surrogateescape")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(errors="surrogateescape")

    def path(self, inside: str) -> Path:
        """Where the host has a file of its root. What mounts hide can't be reached so."""
        return self.root / inside.lstrip("/")

    def processes(self) -> list[int]:
        """Host pids in its cgroup and those below it."""
        return cgroups.processes(self.cgroup)

    def wait(self, timeout_s: float = 30) -> None:
        """Until its own program ended."""
        processes.wait_for_end(self.pid, timeout_s)

    def stop(self) -> None:
        """Kill all of it and let runc forget it; its folder and root stay to be looked at."""
        subprocess.run([*self._runc("kill"), "--all", self.name, "KILL"], capture_output=True, timeout=30)
        if self.pid:
            self.wait()
        subprocess.run([*self._runc("delete"), "--force", self.name], capture_output=True, timeout=30)
        cgroups.remove(self.cgroup)

    def remove(self) -> None:
        """Stop it and leave nothing."""
        self.stop()
        if self._console is not None:
            os.close(self._console)
            self._console = None
        if self.root.is_mount():
            mounts.unmount(self.root)
        if self.folder.exists():
            shutil.rmtree(self.folder)


def _with_console(path: Path, command: list[str], name: str) -> int:
    """Start with a terminal: runc sends its master end through a socket. Gives that end."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        server.settimeout(START_S)
        with subprocess.Popen([*command, "--console-socket", str(path), name], stdin=subprocess.DEVNULL) as running:
            connection, _ = server.accept()
            with connection:
                _, ends, _, _ = socket.recv_fds(connection, 4096, 1)
            running.wait(START_S)
    return ends[0]


def _read_all(terminal: int) -> bytes:
    """All that is shown until the last process that has the terminal is gone (EIO)."""
    shown = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            return shown
        if not more:
            return shown
        shown += more
