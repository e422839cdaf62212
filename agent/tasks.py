"""The daemon's threads: each has a name and a guard; one call starts them, one ends them in order, by a deadline.

A task that crashes is logged with its traceback, counted, and started again after a while that grows. An essential one ends the
agent instead: a monitor that does not see must not look alive. Tasks end in the opposite order of their start, so that what
feeds another one ends first if it was added last.
"""

import math
import signal
import time
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType
from typing import Any, Final, Protocol

FIRST_DELAY_S: Final = 0.5
LAST_DELAY_S: Final = 30.0
WAKE_S: Final = 0.5
CALM_S: Final = 60.0  # a task that ran so long starts with the first delay again


class Logger(Protocol):
    """What tasks say to the daemon's log."""

    def warning(self, event: str, *args: Any, **fields: Any) -> Any:  # noqa: ANN401 - as structlog has it
        """What somebody should look at."""

    def error(self, event: str, *args: Any, **fields: Any) -> Any:  # noqa: ANN401 - as structlog has it
        """What went wrong."""


Run = Callable[[Event], None]


class Task:
    """One thread. `run` gets the event that asks it to end, and returns when it is set, or when there is no more to do."""

    def __init__(self, name: str, run: Run, *, essential: bool) -> None:
        self.name, self.run, self.essential = name, run, essential
        self.ending = Event()
        self.thread: Thread | None = None


class Tasks:
    """All tasks of a run. `ending` is set by a signal, by an essential task's crash, or by whoever wants the end."""

    def __init__(self, log: Logger, *, first_delay_s: float = FIRST_DELAY_S) -> None:
        self._log, self._first_delay_s = log, first_delay_s
        self._tasks: list[Task] = []
        self.ending = Event()
        self.restarts: Counter[str] = Counter()
        self.failed = ""  # the essential task that crashed

    def add(self, name: str, run: Run, *, essential: bool = False) -> None:
        """A task to be started, in this order."""
        self._tasks.append(Task(name, run, essential=essential))

    def every(self, name: str, seconds: float, job: Callable[[], None], *, essential: bool = False) -> None:
        """A periodic job: first at once, then so long after the end of the last time."""

        def run(ending: Event) -> None:
            while not ending.is_set():
                job()
                ending.wait(seconds)

        self.add(name, run, essential=essential)

    def start(self) -> None:
        """Start all that are not running yet."""
        for task in self._tasks:
            if task.thread is None:
                task.thread = Thread(target=self._guard, args=(task,), name=task.name, daemon=True)
                task.thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until somebody wants the end; False: not within the time.

        The kernel may give a signal to any thread (one that was stopped just before, say, to another one than the main
        thread), and Python handles it only when the main thread wakes: so it does twice a second.
        """
        until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while not self.ending.is_set() and time.monotonic() < until_s:
            self.ending.wait(max(0.0, min(WAKE_S, until_s - time.monotonic())))
        return self.ending.is_set()

    def end(self, deadline_s: float) -> list[str]:
        """End them, last started first. The names of those that did not in time: they die with the process."""
        self.ending.set()
        until_s = time.monotonic() + deadline_s
        late: list[str] = []
        for task in reversed(self._tasks):
            task.ending.set()
            if task.thread is not None:
                task.thread.join(max(0.0, until_s - time.monotonic()))
                if task.thread.is_alive():
                    late.append(task.name)
        if late:
            self._log.warning("tasks did not end in time", tasks=late, deadline_s=deadline_s)
        return late

    def alive(self) -> dict[str, bool]:
        """Every task by name, for status."""
        return {task.name: task.thread is not None and task.thread.is_alive() for task in self._tasks}

    def _guard(self, task: Task) -> None:
        delay_s = self._first_delay_s
        while not task.ending.is_set():
            began_s = time.monotonic()
            try:
                task.run(task.ending)
            except Exception as error:  # noqa: BLE001 - the guard is the place where any crash is told and decided upon
                self.restarts[task.name] += 1
                self._log.error("task crashed", task=task.name, essential=task.essential, exc_info=error)
            else:
                return
            if task.essential:
                self.failed = task.name
                self.ending.set()
                return
            delay_s = self._first_delay_s if time.monotonic() - began_s > CALM_S else delay_s
            task.ending.wait(delay_s)
            delay_s = min(LAST_DELAY_S, delay_s * 2)


def end_on_signals(ending: Event) -> Callable[[], None]:
    """SIGTERM and SIGINT set `ending`; a second one kills, as usual. Returns what puts the old handlers back.

    Only in the main thread, by the rule of Python.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        ending.set()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, handle)
    return restore
