"""What a session of tests owns: one folder, one image, and locks that tell other sessions that it lives."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.containers import cgroups, image, mounts, processes, programs

PREFIX = "vedette-test-"
LOCK = programs.BUILT.parent / "sessions.lock"


class Workshop:
    """A session's folder `vedette-test-<pid>-…`, in it `image` (lower layer of every box), `runc` (its --root) and `boxes`.

    Sessions run beside each other: each holds the lock shared, and the last one removes the cgroup that they share.
    """

    def __init__(self) -> None:
        LOCK.parent.mkdir(exist_ok=True)
        self._lock = LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        _clear_after_killed_sessions()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.folder.chmod(0o755)
        self.boxes = self.folder / "boxes"
        self.boxes.mkdir()
        self.runtime_root = self.folder / "runc"
        self.programs = programs.build()
        self.image = image.fill(self.folder / "image", self.programs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        try:
            shutil.rmtree(self.folder)
        finally:
            self._leave()

    def _leave(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another session lives: the shared cgroup is its own too
        else:
            cgroups.remove_if_empty("/vedette-test")
        self._lock.close()


def _clear_after_killed_sessions() -> None:
    """A session that was killed could not clear up: its folder says by its pid that it is gone."""
    for boxes in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*/boxes"):
        owner = boxes.parent.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not processes.alive(int(owner)):
            _clear(boxes.parent)


def _clear(folder: Path) -> None:
    """Unless another session is at it."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for box in (folder / "boxes").glob("*"):
            cgroups.remove(f"/vedette-test/{box.name}")
        mounts.clear_below(folder)
        shutil.rmtree(folder)
    except (BlockingIOError, FileNotFoundError):
        return
    finally:
        os.close(held)
