"""The machine's cgroup hierarchies: v1 ones, hybrid, or v2 alone."""

import contextlib
import os
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
# What a command line begins with to see the v2 hierarchy alone, whatever the machine has.
V2_ALONE = ("unshare", "--mount", "sh", "-c", 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh")


def v2_root() -> Path:
    """Where the v2 hierarchy is: in hybrid mode a folder beside the v1 ones."""
    return MOUNT / "unified" if (MOUNT / "unified/cgroup.procs").exists() else MOUNT


def roots() -> list[Path]:
    """Every hierarchy's root folder."""
    return [MOUNT] if v2_root() == MOUNT else sorted(path for path in MOUNT.iterdir() if (path / "cgroup.procs").exists())


def identity(path: str) -> int:
    """The id that the kernel calls the cgroup by: its inode in the v2 hierarchy."""
    return (v2_root() / path.lstrip("/")).stat().st_ino


def processes(path: str) -> list[int]:
    """Pids in the v2 cgroup and those below it."""
    return [pid for folder in _below(v2_root() / path.lstrip("/")) for pid in _members(folder)]


def remove(path: str, patience_s: float = 5.0) -> None:
    """Kill what is in a cgroup and remove it with those below it, in every hierarchy. Absent is well.

    Raises OSError when something still lives in it after `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    kill = v2_root() / path.lstrip("/") / "cgroup.kill"
    if kill.exists():
        kill.write_text("1")
    for root in roots():
        for folder in _below(root / path.lstrip("/")):
            _remove_one(folder, deadline)


def remove_if_empty(*paths: str) -> None:
    """Remove cgroups that others may use too, in every hierarchy, unless something is in them."""
    for path in paths:
        for root in roots():
            with contextlib.suppress(OSError):
                (root / path.lstrip("/")).rmdir()


def _below(folder: Path) -> list[Path]:
    """The folder and those below it, deepest first."""
    return [Path(path) for path, _, _ in os.walk(folder, topdown=False)]


def _members(folder: Path) -> list[int]:
    try:
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    except OSError:  # removed meanwhile, or a threaded cgroup
        return []


def _remove_one(folder: Path, deadline: float) -> None:
    """A dying process keeps its cgroup busy for a moment."""
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
