"""Where and what was measured, and whether anybody else's programs sit in the kernel's hooks."""

import json
import os
import subprocess
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
_TYPES = {"tracing", "lsm", "cgroup_skb", "cgroup_sock_addr"}


def described() -> dict[str, Any]:
    """Machine, kernel, date, commit, and the load of the last quarter of an hour: the bench alone is about one."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "memory_gib": round(pages / 2**30, 1)},
        "load": os.getloadavg()[2],
        "kernel": f"{os.uname().release} {os.uname().machine}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)


def _commit() -> str:
    asked = subprocess.run(["git", "-C", PROJECT, "describe", "--always", "--dirty"], check=False, capture_output=True, text=True)
    return asked.stdout.strip()


def others(programs: Collection[int] = ()) -> int:
    """How many programs but these are in the hooks that we use: each makes both arms of a pair dearer."""
    asked = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, text=True, check=True)
    return sum(1 for each in json.loads(asked.stdout) if each["type"] in _TYPES and each["id"] not in programs)


def wait_until_alone(patience_s: float) -> bool:
    """Wait until nobody else's programs are in the kernel; False: somebody's still are."""
    until_s = time.monotonic() + patience_s
    while others():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.2)
    return True
