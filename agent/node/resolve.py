"""A path inside a container's or an image's root → the path that the kernel would report. Never leaves that root.

One name after another is opened for nothing but looking at it (O_PATH) and never followed (O_NOFOLLOW); links are read and
walked here, absolute ones from this root on, and `..` goes back to a folder that is open already. So neither a link nor a race
leads out, and no FIFO or device is opened. Bounded: LINKS, DEEPEST, STEPS. A filesystem that never answers hangs even this: for
a container that runs, ask for it in the killable worker.

procfs answers each one who looks differently: what lies below /proc is left as it is written.

Imports the standard library alone: the worker's process has nothing else.
"""

import errno
import os
import stat
from collections import deque
from typing import NamedTuple, Self

LINKS = 40  # links on the way, as the kernel has it
DEEPEST = 64  # names of one path: what lies deeper, the kernel's programs cut
STEPS = 1024  # names that are looked at, those of links included
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class Found(NamedTuple):
    """Where a path leads. Of what is not there, the part that is there is resolved and the rest is as written."""

    path: str
    exists: bool
    device: int = 0  # st_dev and st_ino; 0 where nothing is there
    inode: int = 0


def resolve(root: int, path: str) -> str:
    """The canonical form of an absolute path. `root`: descriptor of a folder. Names that are no UTF-8: as os.fsdecode has them.

    Raises OSError: ELOOP for too many links, EMLINK for what is deeper than DEEPEST, EACCES.
    """
    return find(root, path).path


def find(root: int, path: str) -> Found:
    """The same, and what is there."""
    with _Walk(root) as walk:
        return walk.to(path)


class _Walk:
    """Folders from the root down to where we are, all of them open."""

    def __init__(self, root: int) -> None:
        self._open = [os.dup(root)]
        self._names: list[bytes] = []
        self._links = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._up(len(self._names))
        os.close(self._open.pop())

    def to(self, path: str) -> Found:
        left = deque(_split(os.fsencode(path)))
        for _ in range(STEPS):
            if not left:
                return self._here()
            if self._names == [b"proc"]:
                return Found(_joined([*self._names, *left]), exists=True)
            try:
                self._step(left)
            except OSError as error:
                if error.errno not in _MISSING:
                    raise
                return Found(_joined([*self._names, *left]), exists=False)
        raise OSError(errno.ELOOP, "too many steps")

    def _step(self, left: deque[bytes]) -> None:
        """Take the first of the names that are left. It stays among them where it can't be taken."""
        name = left[0]
        link = b"" if name == b".." else self._down(name)
        left.popleft()
        if name == b"..":
            self._up(1)
        elif link:
            self._follow(link, left)

    def _down(self, name: bytes) -> bytes:
        """Go to what has this name, or give the text of the link that it is."""
        if len(self._names) >= DEEPEST:
            raise OSError(errno.EMLINK, f"deeper than {DEEPEST} names")
        fd = os.open(name, _LOOK, dir_fd=self._open[-1])
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            try:
                return os.readlink(b"", dir_fd=fd)
            finally:
                os.close(fd)
        self._open.append(fd)
        self._names.append(name)
        return b""

    def _follow(self, link: bytes, left: deque[bytes]) -> None:
        self._links += 1
        if self._links > LINKS:
            raise OSError(errno.ELOOP, "too many links")
        if link.startswith(b"/"):
            self._up(len(self._names))
        left.extendleft(reversed(_split(link)))

    def _up(self, steps: int) -> None:
        """Above the root is the root."""
        for _ in range(min(steps, len(self._names))):
            self._names.pop()
            os.close(self._open.pop())

    def _here(self) -> Found:
        it = os.fstat(self._open[-1])
        return Found(_joined(self._names), exists=True, device=it.st_dev, inode=it.st_ino)


def _split(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name not in (b"", b".")]


def _joined(names: list[bytes]) -> str:
    """As one path; what a missing part has of `..` is taken out by its text."""
    kept: list[bytes] = []
    for name in names:
        if name != b"..":
            kept.append(name)
        elif kept:
            kept.pop()
    return "/" + os.fsdecode(b"/".join(kept))
