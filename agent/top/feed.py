"""What the running agent writes, as any reader may have it: both logs as they grow, and its account of itself."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import structs

from agent.outputs.reading import decode
from agent.outputs.stamp import ACTIVITY, EVIDENCE
from agent.status import is_running, read_status
from agent.top.follow import LAG, LOOK_BACK, Follower
from agent.top.snapshot import Agent
from model.record import Finding, Note, Record


class NoAgentError(Exception):
    """No agent runs on this folder."""


class Feed:
    """Reads; keeps nothing but where it stopped. Raises NoAgentError, and OSError where something may not be read."""

    def __init__(self, folder: Path, *, look_back: int = LOOK_BACK, lag: int = LAG) -> None:
        self._folder = folder
        if not folder.is_dir():
            raise NoAgentError(f"{folder}: no such folder")
        if not self.agent().running:
            raise NoAgentError(f"{folder}: no agent runs on this log")
        # Records before the findings that came from them.
        self._logs = [Follower(folder, log, look_back=look_back, lag=lag) for log in (ACTIVITY, EVIDENCE)]
        self._undecoded = 0

    def new(self) -> Iterator[Record | Finding | Note]:
        """What was written since the last call."""
        for log in self._logs:
            for line in log.lines():
                try:
                    yield decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self._undecoded += 1

    def agent(self) -> Agent:
        """What it last said of itself; one that does not run where nothing was said."""
        said = read_status(self._folder)
        if said is None:
            return Agent()
        try:
            agent = msgspec.convert(said, Agent)
        except msgspec.ValidationError as error:
            agent = Agent(time=time.time(), unready=(f"its account can't be read: {error}",))
        silent_s = max(0.0, time.time() - agent.time)
        return structs.replace(agent, running=is_running(said), silent_s=silent_s)

    @property
    def skipped_bytes(self) -> int:
        """What was written too fast for us."""
        return sum(log.skipped_bytes for log in self._logs)

    @property
    def damaged(self) -> int:
        """Lines that are no record."""
        return self._undecoded + sum(log.overlong for log in self._logs)

    def close(self) -> None:
        """Let go of the files."""
        for log in self._logs:
            log.close()
