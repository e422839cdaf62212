"""The host's cgroups: where the hierarchy that tells containers apart is mounted, and what is in it.

The kernel names cgroups of the unified hierarchy where there is one; on a host with version 1 alone, those of the one
that every runtime makes: pids, else memory. Only the hierarchy's true root counts: in a private cgroup namespace the
same mount point shows a part of it, under other paths.
"""

import os
import re
from collections.abc import Iterator

from msgspec import Struct

from model.text import from_bytes

DEPTH = 32
LIMIT = 65_536  # cgroups that are looked at
_ROOT_INODE = 1  # of kernfs: only the hierarchy's own root has it
_OCTAL = re.compile(r"\\([0-7]{3})")


class CgroupError(OSError):
    """The host's cgroups can't be seen from here. The text says what to do."""


class Hierarchy(Struct, frozen=True):
    """Where the cgroups that identify containers are."""

    mount: str  # the folder, as we see it
    version: int
    controller: str  # of version 1; "" of version 2


def find_hierarchy(mounts: str = "/proc/self/mounts") -> Hierarchy:
    """The host's identity hierarchy. Raises CgroupError where only a part of it is visible, or none."""
    with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123 - as the kernel writes it
        found = [hierarchy for line in lines if (hierarchy := _mounted(line))]
    ranked = sorted((rank, index) for index, hierarchy in enumerate(found) if (rank := _rank(hierarchy)) is not None)
    for _, index in ranked:
        if _is_root(found[index].mount):
            return found[index]
    if ranked:
        raise CgroupError(
            f"{found[ranked[0][1]].mount}: not the root of the host's cgroups, but a part of them\n"
            "hint: run the agent in the host's cgroup namespace (docker: --cgroupns=host), or mount the host's /sys/fs/cgroup"
        )
    raise CgroupError("no cgroup hierarchy is mounted\nhint: mount -t cgroup2 none /sys/fs/cgroup")


def existing(hierarchy: Hierarchy) -> Iterator[tuple[int, int, str]]:
    """Id, parent's id and path of each cgroup, parents first; at most LIMIT, no deeper than DEPTH. For the stock-taking."""
    waiting = [(hierarchy.mount, "", _ROOT_INODE, 0)]
    for _ in range(LIMIT):
        if not waiting:
            return
        folder, path, cgroup, depth = waiting.pop()
        if path:
            yield cgroup, _parent_of(folder), path
        if depth < DEPTH:
            waiting.extend((f"{folder}/{name}", f"{path}/{_text(name)}", inode, depth + 1) for name, inode in _folders(folder))


def path_of(hierarchy: Hierarchy, cgroup: int) -> str:
    """The path of a cgroup by its id; "" if there is none. Walks the hierarchy: 10 µs a cgroup."""
    return next((path for found, _, path in existing(hierarchy) if found == cgroup), "")


def _mounted(line: str) -> Hierarchy | None:
    fields = line.split(" ")
    if len(fields) < 4 or fields[2] not in ("cgroup", "cgroup2"):
        return None
    mount = _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[1])
    if fields[2] == "cgroup2":
        return Hierarchy(mount, 2, "")
    options = fields[3].split(",")
    return Hierarchy(mount, 1, next((name for name in ("pids", "memory") if name in options), ""))


def _rank(hierarchy: Hierarchy) -> int | None:
    order = ((2, ""), (1, "pids"), (1, "memory"))
    kind = (hierarchy.version, hierarchy.controller)
    return order.index(kind) if kind in order else None


def _is_root(mount: str) -> bool:
    try:
        return os.stat(mount).st_ino == _ROOT_INODE  # noqa: PTH116 - as all of this file
    except OSError:
        return False


def _parent_of(folder: str) -> int:
    try:
        return os.stat(folder.rpartition("/")[0]).st_ino  # noqa: PTH116 - as all of this file
    except OSError:
        return 0  # removed meanwhile


def _folders(folder: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.inode()) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []  # removed meanwhile


def _text(name: str) -> str:
    return from_bytes(os.fsencode(name))
