"""`make demo`: the agent for some 20 seconds, beside a container that misbehaves; then what it found.

Both leave nothing behind. The container's network has loopback only, so nothing it tries leaves the machine.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.outputs.reading import read
from agent.outputs.stamp import EVIDENCE
from demo.container import DemoContainer
from model.record import Finding
from model.text import printable

RULES = Path(__file__).parent / "rules"
READY_S = 30.0
SWEEP_S = 2.0
WIDTH = 130  # of the table where the terminal does not say


def main() -> int:
    """Run the demo. 1 where something it shows isn't there."""
    with TemporaryDirectory(prefix="vedette-demo-") as name:
        folder = Path(name)
        (folder / "container").mkdir()
        with agent(folder / "log") as running, DemoContainer(folder / "container") as container:
            container.run()
            time.sleep(SWEEP_S)  # the last counts come with the next sweep
            stop(running)
        found = last_of_each(findings(folder / "log"))
    show(found)
    return 0 if found else 1


@contextmanager
def agent(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The agent, ready. Ended at the end, whatever happens. Raises RuntimeError with what is missing."""
    port = free_port()
    ours = {
        "VEDETTE_LOG_FOLDER": str(log),
        "VEDETTE_POLICIES_FOLDER": str(RULES),
        "VEDETTE_METRICS_PORT": str(port),
        "VEDETTE_SENSOR_SWEEP_INTERVAL_S": "1",
        "VEDETTE_OUTPUT": "lines",
        "VEDETTE_LEVEL": "warning",
    }
    running = subprocess.Popen([sys.executable, "-m", "agent", "run"], env=os.environ | ours)
    try:
        wait_until_ready(running, port)
        yield running
    finally:
        stop(running)


def stop(running: subprocess.Popen[bytes]) -> None:
    """End it and wait; by force if it doesn't."""
    if running.poll() is None:
        running.send_signal(signal.SIGTERM)
    try:
        running.wait(10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def wait_until_ready(running: subprocess.Popen[bytes], port: int) -> None:
    """Return when /readyz says so. Raises RuntimeError with its words if it doesn't in time."""
    deadline, said = time.monotonic() + READY_S, "it does not answer"
    while time.monotonic() < deadline:
        if running.poll() is not None:
            raise RuntimeError(f"the agent ended with {running.returncode}")
        status, said = ask(port)
        if status == 200:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the agent isn't ready after {READY_S:.0f} s: {said}")


def ask(port: int) -> tuple[int, str]:
    """Status and text of /readyz; 0 while nobody listens."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read(4096).decode(errors="replace").strip()
        except OSError as error:
            return 0, str(error)


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def findings(log: Path) -> Iterator[Finding]:
    """Every finding of the log about the demo's container."""
    mine = (entry for entry in read(log, EVIDENCE) if isinstance(entry, Finding))
    yield from (finding for finding in mine if finding.container.startswith("vedette-demo-"))


def last_of_each(found: Iterator[Finding]) -> list[Finding]:
    """A finding is told at once, and again with its whole count at the window's end: the last one counts."""
    return list({finding.fingerprint: finding for finding in found}.values())


def show(found: list[Finding]) -> None:
    """The table at the end."""
    table = Table("reason", "severity", "subject", "times", "by", "rule at", title=f"{len(found)} findings", title_justify="left")
    for finding in found:
        by = " < ".join(finding.lineage[:2])
        cells = (finding.reason, finding.severity, finding.subject, str(finding.count), by, short(finding.source))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else WIDTH).print("", table)


def short(source: str) -> str:
    """Of file:line:col without the folder."""
    return source.rpartition("/")[2]


if __name__ == "__main__":
    sys.exit(main())
