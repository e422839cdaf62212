"""`vedette run`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from agent.live import Agent
from agent.live import run as turn
from agent.outputs.daemonlog import daemon_logger
from agent.outputs.spool import FolderInUseError
from agent.sensor.features import SensorError
from agent.settings import Settings, SettingsError, load
from agent.tasks import Tasks, end_on_signals
from agent.verbs.refusal import refused


def run(file: Path | None, overrides: Mapping[str, Any], record: Path | None) -> int:
    """The exit code. A signal that comes while the agent is still being made ends it in order, too."""
    try:
        settings = load(file, overrides=overrides, present=("policies.folder",))
    except SettingsError as error:
        return refused(error)
    tasks = Tasks(logger := daemon_logger(sys.stderr, settings.level))
    restore = end_on_signals(tasks.ending)
    try:
        return _run(settings, logger, tasks, record)
    finally:
        restore()


def _run(settings: Settings, logger: FilteringBoundLogger, tasks: Tasks, record: Path | None) -> int:
    try:
        agent = Agent(settings, logger, record)
    except PermissionError as error:
        return refused(error, "the agent needs root, and a log folder that it can write")
    except (SettingsError, FolderInUseError, OSError) as error:
        return refused(error)
    try:
        return turn(agent, tasks)
    except SettingsError as error:
        return refused(error)
    except SensorError as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 1
