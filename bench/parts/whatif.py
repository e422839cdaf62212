"""Recorded days judged by other policies: `vedette replay LOG --policy`. No container, no agent: a log is made, and read.

In `usual` each behaviour comes a hundred times; in `novel` every record is another one, and none is judged twice.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent.outputs.stamp import Clock, Stamp
from bench.machine import PROJECT
from bench.rows import Row, at_most, one
from bench.shop import Shop
from model.event import Access, Actor, Direction, Event, Exec, File, Flag, FlowCount, Layer, Net, Open, Protocol, Session
from model.origin import Container, Origin, Process
from model.record import Where
from model.verdict import Mode, Outcome, Reason, Severity, Verdict

RECORDS = 1_000_000
CONTAINERS = 50
RULES = 500
BOOT = "1f0c9a3b-5d1e-4c3f-9a55-0e8f6f1d2c3b"
FILE_LINES = 20_000


def measure(shop: Shop) -> Iterator[Row]:
    """Two rows a log: wall time for a million records, and the most memory that it took."""
    count = shop.scaled(RECORDS)
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
        policy = Path(folder, "new.yaml")
        policy.write_text(_policy())
        for name, distinct in (("usual", count // 100), ("novel", count)):
            log = Path(folder, name)
            size = _write(log, count, distinct)
            took_s, peak_kib = _replayed(log, policy)
            note = f"{count} records, {size >> 20} MiB, {RULES} rules"
            scaled = at_most(30 * count / RECORDS)
            yield one(f"{name}: judged again", took_s, "s", scaled, note)
            yield one(f"{name}: memory", peak_kib / 1024, "MiB", at_most(128))


def _replayed(log: Path, policy: Path) -> tuple[float, int]:
    """Wall time of the whole command, and its largest resident size in KiB."""
    command = [sys.executable, "-c", _MEASURED, "replay", str(log), "--policy", str(policy), "--json"]
    began_s = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    took_s = time.monotonic() - began_s
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"replay ended with {done.returncode}: {done.stderr[-2000:]}")
    return took_s, int(done.stderr.split()[-2])


# Asked from within: what wait4 says of a child begins with the memory of its parent.
_MEASURED = """
import atexit, runpy, sys
from pathlib import Path
atexit.register(lambda: sys.stderr.write(next(line for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))))
runpy.run_module("agent", run_name="__main__")
"""


def _policy() -> str:
    paths = "".join(f"      - /srv/data/{number:03}/**\n" for number in range(RULES))
    head = "apiVersion: vedette.dev/v1alpha1\nkind: Policy\nmetadata: {name: bench}\n"
    return f'{head}spec:\n  select: {{containers: {{names: ["*"]}}}}\n  read:\n    allow:\n{paths}  exec: {{allow: [/bin/app]}}\n'


def _write(folder: Path, count: int, distinct: int) -> int:
    """A log as the agent writes it; its bytes."""
    folder.mkdir()
    stamp = Stamp(Where("bench", BOOT, "bench"), Clock(1_750_000_000_000_000_000))
    origins, encode, size = [_origin(number) for number in range(CONTAINERS)], msgspec.json.Encoder().encode, 0
    for first in range(0, count, FILE_LINES):
        numbers = range(first, min(count, first + FILE_LINES))
        lines = [encode(stamp.record(_event(n, n % distinct), origins[n % CONTAINERS], _VERDICT)) for n in numbers]
        content = b"\n".join(lines) + b"\n"
        Path(folder, f"activity-{BOOT[:8]}-{first}.jsonl").write_bytes(content)
        size += len(content)
    return size


_VERDICT = Verdict(
    Outcome.ALLOWED, "read", Reason.ALLOWED, Mode.ALERT, 1, "web/read/allow/0badcafe", "web.yaml:9:9", "web", Severity.LOW
)


def _origin(number: int) -> Origin:
    identity = f"{number:064x}"
    container = Container(
        number + 100, f"/system.slice/{identity}.scope", identity, f"web-{number}", "registry.example.com/shop/web:1.2",
        "containerd", "k8s.io", root=f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{identity}/rootfs",
    )  # fmt: skip
    process = Process("0f" * 12, 4711, 5_000_000_000, "/usr/bin/app", ("app", "--serve"), Session.MAIN, 0, "0e" * 12)
    return Origin(container, process, ("/usr/bin/tini", "/bin/app"))


def _event(number: int, behaviour: int) -> Event:
    """Of ten: six files read, one written, one peer, one exec, one count of a flow before."""
    time_ns, key = 10_000_000_000 + number * 1000, behaviour.to_bytes(40, "little")
    actor = Actor(
        number % CONTAINERS + 100, number % 30_000, time_ns - 9, 1, 1, 1, 1, Session.MAIN, behaviour % 7, 0, tty=False, comm="app"
    )
    file = File(f"/srv/data/{behaviour % 997:03}/{behaviour}.dat", Layer.VOLUME, Flag(0), 5, behaviour, 5, 1, 0)
    kind = behaviour % 10
    if kind == 9:
        flow = (behaviour - 1).to_bytes(40, "little")
        return FlowCount(time_ns, flow, actor.container, Session.MAIN, 3, 10, 9, time_ns - 5, time_ns, 4711, 0, "")
    if kind == 8:
        argv = ("app", str(behaviour))
        return Exec(time_ns, actor, file, None, argv, 12, "/", "", 0, 0, 4294967295, 0, 0, False, 0, (), False)  # noqa: FBT003
    if kind == 7:
        address = f"10.{behaviour >> 16 & 255}.{behaviour >> 8 & 255}.{behaviour & 255}"
        return Net(time_ns, actor, Direction.EGRESS, Protocol.TCP, address, 443, 0, 0, key)
    return Open(time_ns, actor, file, Access.WRITE if kind == 6 else Access.READ, key)
