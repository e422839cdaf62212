"""Time inside our programs in the kernel for one deed, by the kernel's own account: steadier than ratios on an unsteady machine.

The account (kernel.bpf_stats_enabled) takes some 30 ns a run, which are in here, and so are runs for others: on a quiet machine
there are none. What hooks cost beside their programs, the way into system calls for one, is not.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rows import Row, one
from bench.shop import Shop, bulk

SWITCH = Path("/proc/sys/kernel/bpf_stats_enabled")
WORKS = {
    "open+close, 2000 files in turn": ("open-cold", 100_000),
    "open+close, one file": ("open-hot", 100_000),
    "exec": ("exec", 1500),
    "connect, loopback": ("connect", 10_000),
    "datagram, loopback": ("datagram", 50_000),
    "temporary file": ("temp", 10_000),
    "fork": ("fork", 2000),
    "null system call": ("null", 500_000),
}
SHOWN = 3


def measure(shop: Shop) -> Iterator[Row]:
    """One row a work: nanoseconds, their part of the workload's CPU, and in which programs."""
    with shop.agent() as agent, shop.box() as box:
        ours = _held_by(agent.pid)
        for name, (work, count) in WORKS.items():
            with _counting():
                start = _programs()
                done = bulk(box, work, count)
                spent = _spent(start, _programs(), ours)
            note = ", ".join(f"{program} {took / count:.0f}" for program, took in spent[:SHOWN])
            share = sum(took for _, took in spent) / done.cpu_ns
            yield one(
                f"{name}: in our programs", sum(took for _, took in spent) / count, "ns", None, f"{share:.1%} of its CPU: {note}"
            )
        agent.settle()


def _programs() -> dict[int, dict[str, Any]]:
    asked = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, text=True, check=True)
    return {program["id"]: program for program in json.loads(asked.stdout)}


def _held_by(pid: int) -> set[int]:
    """The programs that a process holds, by its descriptors."""
    texts = [info.read_text() for info in Path(f"/proc/{pid}/fdinfo").iterdir()]
    return {int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("prog_id:")}


def _spent(start: dict[int, dict[str, Any]], end: dict[int, dict[str, Any]], ours: set[int]) -> list[tuple[str, int]]:
    """Nanoseconds of each program between the two looks, the dearest first."""
    taken = [(end[number], start.get(number, {})) for number in ours & end.keys()]
    times = [(now["name"], now.get("run_time_ns", 0) - then.get("run_time_ns", 0)) for now, then in taken]
    return sorted((time for time in times if time[1]), key=lambda time: -time[1])


@contextmanager
def _counting() -> Iterator[None]:
    was = SWITCH.read_text()
    SWITCH.write_text("1")
    try:
        yield
    finally:
        SWITCH.write_text(was)
