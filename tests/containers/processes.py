"""Processes of the host, by pid."""

import time
from pathlib import Path


def alive(pid: int) -> bool:
    """It runs. A zombie doesn't: it only waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def exe(pid: int) -> str:
    """The program that it runs, or "" if it ended."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def wait_for_end(pid: int, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while alive(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} ({exe(pid)}) still runs after {timeout_s} s")
        time.sleep(0.002)
