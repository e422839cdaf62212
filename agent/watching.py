"""Notice that somebody changed the policies: a flag for the loop, set by watchdog's thread."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

POLL_S = 2.0
_READS = {"opened", "closed_no_write"}


class _Mark(FileSystemEventHandler):
    def __init__(self, changed: Event) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _READS:
            self._changed.set()


def watcher(folders: Sequence[Path], changed: Event) -> Callable[[Event], None]:
    """A task: sets `changed` when something below the folders changes. Polls where the host's inotify watches are used up.

    A watch is of an inode: where a folder came, went or was replaced it begins anew. It is set at each beginning, too, for
    what changed before.
    """

    def run(ending: Event) -> None:
        while not ending.is_set():
            watched = [_identity(folder) for folder in folders]
            observer = _observer(folders, changed)
            changed.set()
            while not ending.wait(POLL_S) and [_identity(folder) for folder in folders] == watched:
                pass
            observer.stop()
            observer.join(1.0)

    return run


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _observer(folders: Sequence[Path], changed: Event) -> BaseObserver:
    try:
        return _started(Observer(), folders, changed)
    except OSError:
        return _started(PollingObserver(timeout=POLL_S), folders, changed)


def _started(observer: BaseObserver, folders: Sequence[Path], changed: Event) -> BaseObserver:
    for folder in folders:
        if folder.exists():
            observer.schedule(_Mark(changed), str(folder), recursive=True)
    observer.start()
    return observer
