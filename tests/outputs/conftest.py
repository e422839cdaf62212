"""Logs that end with the test, and a small filesystem that can be filled."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from agent.outputs.log import Bounds, Log
from tests.containers import mounts
from tests.outputs.builders import WHERE

MakeLog = Callable[..., Log]


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[MakeLog]:
    """`make_log(folder, bounds=…)`: a log that is closed at the end."""
    with ExitStack() as stack:

        def make(folder: Path | None = None, bounds: Bounds = Bounds(sync_s=0.05), **more: Any) -> Log:  # noqa: B008 - frozen
            log = Log(folder or tmp_path / "log", WHERE, bounds=bounds, **more)
            stack.callback(log.close)
            return log

        yield make


class SmallDisk:
    """A tmpfs of its own, that can be filled, grown, and made read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def fill(self) -> None:
        """Leave no page free."""
        with (self.folder / "filler").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", folder], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        mounts.unmount(folder)
