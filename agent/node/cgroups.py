"""What is in the cgroup hierarchy that tells the host's containers apart. Which one that is, the sensor finds out."""

import os
from collections.abc import Iterator

from model.text import from_bytes

DEPTH = 32
LIMIT = 65_536  # cgroups that are looked at
_ROOT_INODE = 1  # of kernfs: only the hierarchy's own root has it


def existing(mount: str) -> Iterator[tuple[int, int, str]]:
    """Id, parent's id and path of each cgroup, parents first; at most LIMIT, no deeper than DEPTH. For the stock-taking.

    `mount` is the folder of the hierarchy's root.
    """
    waiting = [(mount, "", _ROOT_INODE, 0)]
    for _ in range(LIMIT):
        if not waiting:
            return
        folder, path, cgroup, depth = waiting.pop()
        if path:
            yield cgroup, _parent_of(folder), path
        if depth < DEPTH:
            waiting.extend((f"{folder}/{name}", f"{path}/{_text(name)}", inode, depth + 1) for name, inode in _folders(folder))


def path_of(mount: str, cgroup: int) -> str:
    """The path of a cgroup by its id; "" if there is none. Walks the hierarchy: 10 µs a cgroup."""
    return next((path for found, _, path in existing(mount) if found == cgroup), "")


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
