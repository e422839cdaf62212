"""The daemon's tasks: guarded, restarted, ended in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from threading import enumerate as threads
from typing import Any

from agent.tasks import Tasks

DAEMON = """
from threading import Event
from agent.outputs.daemonlog import daemon_logger
from agent.tasks import Tasks, end_on_signals
import sys
tasks = Tasks(daemon_logger(sys.stderr))
tasks.every("tick", 0.01, lambda: None)
tasks.add("loop", lambda ending: ending.wait() and None, essential=True)
end_on_signals(tasks.ending)
tasks.start()
print("ready", flush=True)
tasks.wait()
sys.exit(len(tasks.end(5)))
"""


class Paper:
    """A log that keeps what it was told."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, BaseException]] = []

    def warning(self, event: str, *args: Any, **fields: Any) -> None:
        pass

    def error(self, event: str, *_: Any, **fields: Any) -> None:
        self.errors.append((event, fields["exc_info"]))


def eventually(holds: Callable[[], object], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def until_asked(ending: Event) -> None:
    ending.wait()


def test_every_task_is_a_thread_with_its_name() -> None:
    tasks = Tasks(Paper())
    tasks.add("sweep", until_asked)
    tasks.start()
    assert "sweep" in {thread.name for thread in threads()}
    assert tasks.end(1.0) == []
    assert "sweep" not in {thread.name for thread in threads()}


def test_a_crash_is_told_and_counted_and_the_task_started_again() -> None:
    paper, runs = Paper(), [0]
    tasks = Tasks(paper, first_delay_s=0.001)

    def fragile(ending: Event) -> None:
        runs[0] += 1
        if runs[0] < 4:
            raise ValueError(f"crash {runs[0]}")
        ending.wait()

    tasks.add("watch", fragile)
    tasks.start()
    eventually(lambda: runs[0] == 4)
    tasks.end(1.0)
    assert [str(error) for _, error in paper.errors] == ["crash 1", "crash 2", "crash 3"]
    assert tasks.restarts == {"watch": 3}
    assert tasks.failed == ""


def test_a_crash_of_an_essential_task_ends_the_agent() -> None:
    tasks = Tasks(Paper())

    def broken(_: Event) -> None:
        raise RuntimeError("no ring")

    tasks.add("loop", broken, essential=True)
    tasks.start()
    assert tasks.wait(5)
    assert tasks.failed == "loop"
    assert tasks.end(1.0) == []


def test_a_task_that_has_no_more_to_do_is_not_started_again() -> None:
    runs: list[int] = []
    tasks = Tasks(Paper(), first_delay_s=0.001)
    tasks.add("once", lambda _: runs.append(1))
    tasks.start()
    eventually(lambda: not tasks.alive()["once"])
    assert runs == [1]
    tasks.end(1.0)


def test_tasks_end_in_the_opposite_order_of_their_start() -> None:
    ended: list[str] = []
    tasks = Tasks(Paper())

    def ending_as(name: str) -> Callable[[Event], None]:
        def run(ending: Event) -> None:
            ending.wait()
            ended.append(name)

        return run

    for name in ("log", "loop", "watch"):
        tasks.add(name, ending_as(name))
    tasks.start()
    tasks.end(1.0)
    assert ended == ["watch", "loop", "log"]


def test_a_task_that_does_not_end_is_named_and_does_not_hold_up_the_end() -> None:
    never = Event()
    tasks = Tasks(Paper())

    def deaf(_: Event) -> None:
        never.wait()

    tasks.add("stuck", deaf)
    tasks.start()
    began_s = time.monotonic()
    assert tasks.end(0.1) == ["stuck"]
    assert time.monotonic() - began_s < 1
    never.set()


def test_a_periodic_job_runs_at_once_and_again() -> None:
    runs: list[int] = []
    tasks = Tasks(Paper())
    tasks.every("heartbeat", 0.001, lambda: runs.append(1))
    tasks.start()
    eventually(lambda: len(runs) > 3)
    tasks.end(1.0)


def test_a_waiting_thread_wakes_when_the_end_comes() -> None:
    tasks = Tasks(Paper())
    waiting = Thread(target=tasks.wait)
    waiting.start()
    tasks.end(1.0)
    waiting.join(1.0)
    assert not waiting.is_alive()


def test_sigterm_ends_a_daemon_within_a_moment() -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, env=os.environ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"ready\n"
        began_s = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(5) == 0
        assert time.monotonic() - began_s < 2
