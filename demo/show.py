"""`make demo`: the agent for some 20 seconds, beside a container that misbehaves; then what it found.

The agent tells in JSON lines, as on any pipe; the demo shows those of its own container, in the agent's own form. Both leave
nothing behind. The container's network has loopback only, so nothing it tries leaves the machine.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.outputs.lines import is_noise, line_of
from agent.outputs.reading import decode
from agent.outputs.screen import style_for
from demo.container import SCRIPT, DemoContainer
from model.event import Exit, FlowCount
from model.record import Finding, Note, Record
from model.text import printable

RULES = Path(os.path.relpath(Path(__file__).parent / "rules"))  # short, for each finding names it
STEPS = re.findall(r"^step # (.+)$", SCRIPT.read_text(), re.MULTILINE)
READY_S = 30.0
SWEEP_S = 2.0
STEP_S = 1.5  # until the lines of a step are there, and read
WIDTH = 120  # where the terminal does not say


def main() -> int:
    """Run the demo. 1 where something it shows isn't there."""
    with TemporaryDirectory(prefix="vedette-demo-") as name:
        folder = Path(name)
        (folder / "container").mkdir()
        out = Console(width=width(), highlight=False)
        out.print("An agent, and a container that will misbehave. Each line is what the kernel saw.", style="bold")
        with agent(folder / "log") as running, DemoContainer(folder / "container") as container:
            telling = Telling(running, container.name)
            run(container, out)
            time.sleep(SWEEP_S)  # the last counts come with the next sweep
            stop(running)
            telling.end()
        out.print("", telling.summary())
    return 0 if telling.found else 1


def run(container: DemoContainer, out: Console) -> None:
    """The container's steps, each below what it is."""
    with container.running() as steps:
        time.sleep(STEP_S)
        for number, step in enumerate(STEPS, start=1):
            out.print(f"\n{number}. {step}", style="bold", soft_wrap=True)
            steps.write(b"\n")
            time.sleep(STEP_S)
        steps.write(b"\n")


class Telling:
    """What the agent tells of one container: each line at once, the sum at the end."""

    def __init__(self, running: "subprocess.Popen[bytes]", container: str) -> None:
        self._container = container
        self._style, self._width = style_for(sys.stdout, "lines", ids=False), width()
        self.found: dict[str, Finding] = {}  # by fingerprint: told at once, and again with its whole count at the end
        self._records = self._counted = 0
        self._thread = Thread(target=self._tell, args=(running.stdout,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Read to the end."""
        self._thread.join(10)

    def _tell(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            entry = decode(line)
            if isinstance(entry, Note) or not self._is_mine(entry):
                continue
            self._note(entry)
            if self._style and self._is_shown(entry) and (text := line_of(entry, self._style, self._width)):
                print(text, flush=True)

    def _is_mine(self, entry: Record | Finding) -> bool:
        if isinstance(entry, Finding):
            return entry.container == self._container
        return entry.origin is not None and entry.origin.container.name == self._container

    def _note(self, entry: Record | Finding) -> None:
        if isinstance(entry, Finding):
            self.found[entry.fingerprint] = entry
        elif isinstance(entry.event, FlowCount):
            self._counted += entry.event.added
        else:
            self._records += 1

    def _is_shown(self, entry: Record | Finding) -> bool:
        if isinstance(entry, Finding):
            return entry.count == 1
        return not is_noise(entry) and not isinstance(entry.event, Exit)

    def summary(self) -> Table:
        """How much was told and counted, and the findings with their whole counts."""
        title = f"{len(self.found)} findings in {self._records} records; {self._counted:,} more events the kernel only counted."
        table = Table(
            "reason",
            "severity",
            "subject",
            "times",
            "rule",
            title=title,
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
        )
        for finding in self.found.values():
            cells = (finding.reason, finding.severity, finding.subject, str(finding.count), short(finding.source))
            table.add_row(*(Text(printable(cell)) for cell in cells))
        return table


def width() -> int:
    """Of the terminal, or one that all lines fit in."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


@contextmanager
def agent(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The agent, ready. Ended at the end, whatever happens. Raises RuntimeError with what is missing."""
    port = free_port()
    ours = {
        "VEDETTE_LOG_FOLDER": str(log),
        "VEDETTE_POLICIES_FOLDER": str(RULES),
        "VEDETTE_METRICS_PORT": str(port),
        "VEDETTE_SENSOR_SWEEP_INTERVAL_S": "1",
        "VEDETTE_OUTPUT": "json",
        "VEDETTE_LEVEL": "warning",
    }
    running = subprocess.Popen([sys.executable, "-m", "agent", "run"], env=os.environ | ours, stdout=subprocess.PIPE)
    try:
        wait_until_ready(running, port)
        yield running
    finally:
        stop(running)


def stop(running: "subprocess.Popen[bytes]") -> None:
    """End it and wait; by force if it doesn't."""
    if running.poll() is None:
        running.send_signal(signal.SIGTERM)
    try:
        running.wait(10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def wait_until_ready(running: "subprocess.Popen[bytes]", port: int) -> None:
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


def short(source: str) -> str:
    """Of file:line:col without the folder."""
    return source.rpartition("/")[2]


if __name__ == "__main__":
    sys.exit(main())
