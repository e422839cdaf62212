"""Network namespaces of our own, and servers inside those of containers. No traffic leaves the machine."""

import json
import os
import secrets
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.containers.programs import PROJECT
from tests.containers.resolver import Zone

NAMESPACES = "/run/netns"


def inside(pid: int) -> list[str]:
    """What a command line begins with to run in a process's network namespace, and in nothing else of it."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]


class Namespace:
    """A named network namespace with loopback up. `path` is for `Recipe(join={"network": …})`."""

    def __init__(self) -> None:
        self.name = f"vedette-test-{os.getpid()}-{secrets.token_hex(4)}"
        self.path = f"{NAMESPACES}/{self.name}"

    def __enter__(self) -> Self:
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def run(self, *argv: str) -> str:
        """Run a program of the host in it; gives its output."""
        return subprocess.run(["nsenter", f"--net={self.path}", *argv], check=True, capture_output=True, text=True).stdout


class Resolver:
    """A DNS server in a container's network namespace, but outside of the container itself. See resolver.py."""

    def __init__(self, pid: int, zone: Zone, address: str = "127.0.0.53", port: int = 53) -> None:
        program = [sys.executable, "-m", "tests.containers.resolver", address, str(port), json.dumps(zone)]
        self._command = [*inside(pid), *program]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the DNS server did not start: {' '.join(self._command)}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        with self._process as process:
            process.kill()
