"""The running agent's account of itself, as a file in the log's folder, for `vedette status`."""

import json
import os
from pathlib import Path
from typing import Any

FILE = "status.json"
STALE_S = 30.0


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replace the file in one step. A folder that can't be written is the log's to tell."""
    part = folder / f"{FILE}.part"
    try:
        part.write_text(json.dumps(status))
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
