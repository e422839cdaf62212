"""The feed and the view together: look again, and say what is so now."""

import time

from agent.outputs.stamp import boot_ns
from agent.top.feed import Feed
from agent.top.snapshot import Agent, Detail, Snapshot
from agent.top.view import View
from model.record import wall_time


class Watch:
    """One view of one agent. Raises OSError where its files may not be read any more."""

    def __init__(self, feed: Feed, view: View) -> None:
        self._feed, self._view = feed, view
        self._agent = Agent()

    def look(self) -> Snapshot:
        """What was written since the last time, taken in."""
        for entry in self._feed.new():
            self._view.see(entry)
        self._agent = self._feed.agent()
        now = wall_time(time.time_ns())
        return self._view.snapshot(boot_ns(), now, self._agent, self._feed.skipped_bytes, self._feed.damaged)

    def detail(self, key: str) -> Detail | None:
        """One container from inside, as of the last look."""
        return self._view.detail(key, boot_ns(), self._agent)

    def close(self) -> None:
        """Let go of the files."""
        self._feed.close()
