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
    """A task: sets `changed` when something below the folders changes. Polls where the host's inotify watches are used up."""

    def run(ending: Event) -> None:
        try:
            observer: BaseObserver = _started(Observer(), folders, changed)
        except OSError:
            observer = _started(PollingObserver(timeout=POLL_S), folders, changed)
        ending.wait()
        observer.stop()
        observer.join(1.0)

    return run


def _started(observer: BaseObserver, folders: Sequence[Path], changed: Event) -> BaseObserver:
    for folder in folders:
        if folder.exists():
            observer.schedule(_Mark(changed), str(folder), recursive=True)
    observer.start()
    return observer
