"""A process that touches containers' files in our place, so that a file that never answers hangs it and not the agent.

One job at a time; a job that takes longer than its deadline costs the process its life and the job its answer, and the next
job gets a new process. Both ends of the socket stay ours, so `fileno` is the same for the worker's whole life.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from agent.node import files

_HEADER = struct.Struct("<QB")
_ROOT = str(Path(files.__file__).parents[2])  # what holds the package; behind the standard library, so it hides nothing of it
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from agent.node.files import main; main()"
_REST_S = 10.0  # without a job until the process ends: it holds 16 MiB, and the next one starts in some 50 ms
_STUCK = 4  # killed processes that the kernel can't end yet: more aren't started


class Job(Struct, frozen=True):
    """Something to read. `request` is what `files.answer` takes, `key` is the caller's."""

    key: Any
    request: dict[str, Any]
    deadline_s: float = 5.0


class Result(Struct, frozen=True):
    """The answer to a job: either `content` or why there is none."""

    key: Any
    content: bytes | None
    error: str = ""


class Worker:
    """Runs jobs in a process of its own. Nothing in here waits. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], limit: int = 1024) -> None:
        self._clock, self._limit = clock, limit
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._ours, self._theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * files.MESSAGE)
        self._ours.settimeout(0)
        self._queue: deque[Job] = deque()
        self._job: Job | None = None
        self._until = 0.0
        self._done_s = 0.0  # when the last job ended
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: list[subprocess.Popen[bytes]] = []
        self._results: list[Result] = []
        self.refused = 0  # jobs for which the queue had no room
        self.kills = 0  # processes that a job cost

    def fileno(self) -> int:
        """Readable when an answer came."""
        return self._ours.fileno()

    @property
    def pid(self) -> int:
        """The process's id; 0 if none runs."""
        return self._process.pid if self._process else 0

    @property
    def busy(self) -> bool:
        """Whether there is something to wait for."""
        return self._job is not None or bool(self._queue)

    def due(self) -> float | None:
        """When `results` must be asked though nothing is readable, on the worker's clock."""
        return self._until if self._job else None

    def submit(self, job: Job) -> bool:
        """Queue a job. False, and counted, if there is no room."""
        if len(self._queue) >= self._limit:
            self.refused += 1
            return False
        self._queue.append(job)
        self._next()
        return True

    def results(self) -> list[Result]:
        """The answers since the last call. Also sees to deadlines and to processes that ended."""
        self._receive()
        self._killed = [process for process in self._killed if process.poll() is None]
        if self._job and self._clock() >= self._until:
            self._lose("took too long")
        elif self._process and self._process.poll() is not None:
            self._lose("the process that read it ended")
        self._next()
        results, self._results = self._results, []
        return results

    def rest(self) -> None:
        """End the process if it had nothing to do for a while. To be called now and then."""
        if self._process and not self.busy and self._clock() - self._done_s > _REST_S:
            self._kill()
        self._killed = [process for process in self._killed if process.poll() is None]

    def close(self) -> None:
        """End the process. One that hangs in the kernel ends when the kernel lets go of it."""
        self._kill()
        self._ours.close()
        self._theirs.close()
        for process in self._killed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)

    def _next(self) -> None:
        if self._job or not self._queue or len(self._killed) >= _STUCK:
            return
        if self._process is None:
            self._start()
        self._job = self._queue.popleft()
        self._number += 1
        self._until = self._clock() + self._job.deadline_s
        try:
            self._ours.send(json.dumps({"id": self._number, **self._job.request}).encode())
        except OSError as error:
            self._finish(None, f"{error.__class__.__name__}")

    def _receive(self) -> None:
        while True:
            try:
                message = self._ours.recv(_HEADER.size + files.MESSAGE)
            except BlockingIOError:
                return
            number, status = _HEADER.unpack_from(message)
            if number == self._number and self._job:
                content = message[_HEADER.size :]
                self._finish(content if not status else None, content.decode(errors="replace") if status else "")
                self._next()

    def _finish(self, content: bytes | None, error: str) -> None:
        if self._job:
            self._results.append(Result(self._job.key, content, error))
        self._job, self._done_s = None, self._clock()

    def _lose(self, why: str) -> None:
        self._finish(None, why)
        self._kill()
        self.kills += 1

    def _start(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT, str(self._theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[self._theirs.fileno()], stdin=subprocess.DEVNULL, env={})

    def _kill(self) -> None:
        """Also takes back a request that the process had not read."""
        if self._process:
            if self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGKILL)
            self._killed.append(self._process)
            self._process = None
        with contextlib.suppress(BlockingIOError):
            while self._theirs.recv(files.MESSAGE, socket.MSG_DONTWAIT):
                pass
