"""Builds the C programs that run inside containers."""

import fcntl
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BUILT = PROJECT / "build" / "programs"


def build() -> Path:
    """Run make for what changed and give the folder of built programs. Safe with another session building the same."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            ["make", "--no-print-directory", "-C", PROJECT / "tests" / "programs", f"OUT={BUILT}"],
            capture_output=True,
            text=True,
        )
    if made.returncode:
        raise RuntimeError(f"tests/programs did not build:\n{made.stdout}{made.stderr}")
    return BUILT
