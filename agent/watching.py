"""Notice that somebody changed the policies, and read them, in a thread of its own: the loop only puts them in force.

    inotify, or polling where its limits are used up ─► touched ─► quiet for `settle_s` ─► read ─► `taken` by the loop

A watch is of an inode. Where a folder came, went or was replaced, or a link to it was, watching begins anew; its parent tells
that at once, and a look now and then where the parent is gone, too. Each beginning reads, for what changed before it.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from agent.policies import Found, find

LOOK_S = 2.0  # are the folders still those that are watched?
POLL_S = 1.0
RETRY_S = 60.0  # after which polling gives way to inotify again, if that works by then
LONGEST_S = 5.0  # somebody who never stops writing is not waited for longer
_LOOKS = {"opened", "closed_no_write"}


class _Mark(FileSystemEventHandler):
    """Sets `touched`. In a parent folder only what concerns `name` counts."""

    def __init__(self, touched: Event, name: str = "") -> None:
        self._touched, self._name = touched, name

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _LOOKS:
            return
        paths = (os.fsdecode(event.src_path), os.fsdecode(event.dest_path))
        if not self._name or any(Path(path).name == self._name for path in paths):
            self._touched.set()


class Watcher:
    """`run` is a task. `mode` is how it notices changes now, and `why` what keeps it from the better way; for any thread."""

    def __init__(self, folders: Sequence[Path], settle_s: float, *, observer: Callable[[], BaseObserver] = Observer) -> None:
        self._folders, self._settle_s, self._make = tuple(folders), settle_s, observer
        self.observer: BaseObserver | None = None  # the present one
        self._touched = Event()
        self._stopped = False
        self._found: deque[Found] = deque(maxlen=1)  # the newest counts
        self._distrusted_until_s = 0.0  # inotify
        self.mode = "off"  # inotify, polling
        self.why = ""

    @property
    def waiting(self) -> bool:
        """Whether something was read that nobody has taken."""
        return bool(self._found)

    def taken(self) -> Found | None:
        """What was read last, once."""
        try:
            return self._found.pop()
        except IndexError:
            return None

    def stop(self) -> None:
        """Have `run` end at once, not with its next look."""
        self._stopped = True
        self._touched.set()

    def run(self, ending: Event) -> None:
        """Watch and read until it is stopped, or `ending` is set."""
        while not self._is_over(ending):
            watched = self._identities()
            observer = self.observer = self._begin()
            try:
                self._touched.set()
                while not self._is_over(ending) and self._holds(observer, watched):
                    if self._touched.wait(LOOK_S) and not self._is_over(ending):
                        self._read(ending)
            finally:
                _end(observer)
                self.mode = "off"

    def _is_over(self, ending: Event) -> bool:
        return self._stopped or ending.is_set()

    def _read(self, ending: Event) -> None:
        until_s = time.monotonic() + LONGEST_S
        while self._touched.is_set() and time.monotonic() < until_s:
            self._touched.clear()
            if ending.wait(self._settle_s):
                return
        self._found.append(find(self._folders))

    def _identities(self) -> list[tuple[str, int, int]]:
        return [_identity(folder) for folder in self._folders]

    def _holds(self, observer: BaseObserver, watched: list[tuple[str, int, int]]) -> bool:
        """Whether this observer still sees everything. One whose threads died makes inotify distrusted for a while."""
        if not (observer.is_alive() and all(emitter.is_alive() for emitter in observer.emitters)):
            self._distrust("its thread ended")
            return False
        if self.mode == "polling" and time.monotonic() > self._distrusted_until_s:
            return False
        return self._identities() == watched

    def _distrust(self, why: str) -> None:
        self.why = f"inotify: {why}"
        self._distrusted_until_s = time.monotonic() + RETRY_S

    def _begin(self) -> BaseObserver:
        if time.monotonic() >= self._distrusted_until_s:
            try:
                observer = self._scheduled(self._make)
            except OSError as error:  # ENOSPC: no more watches; EMFILE: no more instances
                self._distrust(os.strerror(error.errno) if error.errno else str(error))
            else:
                self.mode, self.why = "inotify", ""
                return observer
        self.mode = "polling"
        return self._scheduled(lambda: PollingObserver(timeout=POLL_S))

    def _scheduled(self, make: Callable[[], BaseObserver]) -> BaseObserver:
        observer = make()
        try:
            self._schedule(observer)
        except BaseException:
            _end(observer)
            raise
        return observer

    def _schedule(self, observer: BaseObserver) -> None:
        """The folders themselves and what they lead to; of their parents, that they come and go."""
        for place in dict.fromkeys(place for folder in self._folders for place in (folder.absolute(), folder.resolve())):
            if place.parent.is_dir():
                observer.schedule(_Mark(self._touched, place.name), str(place.parent), recursive=False)
            if place.is_dir() and not place.is_symlink():
                observer.schedule(_Mark(self._touched), str(place), recursive=True)
        observer.start()


def _identity(folder: Path) -> tuple[str, int, int]:
    try:
        found = folder.stat()
    except OSError:
        return "", 0, 0
    return str(folder.resolve()), found.st_dev, found.st_ino if folder.is_dir() else 0


def _end(observer: BaseObserver) -> None:
    """Also one that could not be started."""
    observer.stop()
    with suppress(RuntimeError):  # it never began
        observer.join(1.0)
