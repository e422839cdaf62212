"""Mounts of the host, by where they are."""

import errno
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def below(folder: Path) -> list[str]:
    """Mount points below a folder, the inner ones first."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def clear_below(folder: Path) -> None:
    for point in below(folder):
        subprocess.run(["umount", "--lazy", point], check=True)


def unmount(point: Path, patience_s: float = 10.0) -> None:
    """Not lazily: what holds it is a leak. But any process of the host that looks at its mounts (df, statfs) holds it a moment.

    Raises OSError with those who hold it when it is still busy after `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while (done := subprocess.run(["umount", point], capture_output=True, text=True)).returncode:
        if "busy" not in done.stderr or time.monotonic() > deadline:
            raise OSError(errno.EBUSY, f"{done.stderr.strip()} Held by: {', '.join(_holders(point)) or 'nobody in /proc'}")
        time.sleep(0.05)


def _holders(point: Path) -> Iterator[str]:
    """What processes have of it, as paths in /proc: their folder, root, program, open files."""
    for process in Path("/proc").glob("[0-9]*"):
        for link in (process / "cwd", process / "root", process / "exe", *process.glob("fd/*")):
            with suppress(OSError):  # ended or closed meanwhile
                if str(link.readlink()).startswith(str(point)):
                    yield str(link)
