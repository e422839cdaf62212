"""How far a long verb has come: a bar on a terminal's standard error, nothing elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich import progress as bars
from rich.console import Console

_STEP_BYTES: Final = 4 << 20  # a bar that is moved for each line costs more than the work


class Progress:
    """Counts bytes."""

    def __init__(self, bar: bars.Progress | None, task: bars.TaskID | None) -> None:
        self._bar, self._task, self._waiting = bar, task, 0

    def advance(self, size: int) -> None:
        """So many bytes more are done."""
        self._waiting += size
        if self._waiting >= _STEP_BYTES:
            self._show()

    def _show(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=self._waiting)
        self._waiting = 0


@contextmanager
def progress(what: str, files: Iterable[Path]) -> Iterator[Progress]:
    """Shown while the context lasts, then wiped away. All of these files are to be read."""
    if not sys.stderr.isatty():
        yield Progress(None, None)
        return
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.DownloadColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar, bar.add_task(what, total=sum(map(_size, files))))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # retention took it meanwhile
        return 0
