"""The running agent's account of itself, as a file in the log's folder, for `vedette status`.

A disk may hang for minutes, and the loop may not wait for it: a thread writes. It takes the newest account; one that came
meanwhile is as good as never made.
"""

import json
import os
from collections import deque
from pathlib import Path
from threading import Event, Thread
from typing import Any

FILE = "status.json"
STALE_S = 30.0


class StatusFile:
    """Hands accounts to the thread that writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._latest: deque[str] = deque(maxlen=1)
        self._wake, self._ending = Event(), False
        self._thread = Thread(target=self._write_all, name="status", daemon=True)
        self._thread.start()

    def write(self, status: dict[str, Any]) -> None:
        """Have it written soon. Never waits."""
        self._latest.append(json.dumps(status))
        self._wake.set()

    def close(self, deadline_s: float = 1.0) -> None:
        """Write the last one, within the deadline."""
        self._ending = True
        self._wake.set()
        self._thread.join(deadline_s)

    def _write_all(self) -> None:
        while not (self._ending and not self._latest):
            self._wake.wait()
            self._wake.clear()
            while self._latest:
                write_status(self._folder, self._latest.popleft())


def write_status(folder: Path, status: str) -> None:
    """Replace the file in one step. A folder that can't be written is the log's to tell."""
    part = folder / f"{FILE}.part"
    try:
        part.write_text(status)
        part.chmod(0o600)
        part.replace(folder / FILE)
    except OSError:
        return


def read_status(folder: Path) -> dict[str, Any] | None:
    """The last account, or None if there is none. Whether its agent still runs: `is_running`.

    Raises PermissionError: that it may not be read doesn't mean that there is none.
    """
    try:
        status = json.loads((folder / FILE).read_text())
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    return status if isinstance(status, dict) else None


def is_running(status: dict[str, Any]) -> bool:
    """Whether the process that wrote it lives."""
    try:
        os.kill(int(status["pid"]), 0)
    except (KeyError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
