"""`vedette run`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.live import Agent
from agent.live import run as turn
from agent.outputs.daemonlog import daemon_logger
from agent.outputs.spool import FolderInUseError
from agent.sensor.features import SensorError
from agent.settings import SettingsError, load
from agent.watching import watcher


def run(file: Path | None, overrides: Mapping[str, Any], record: Path | None) -> int:
    """The exit code."""
    try:
        settings = load(file, overrides=overrides)
        logger = daemon_logger(sys.stderr, settings.level)
        agent = Agent(settings, logger, record)
    except PermissionError as error:
        sys.stderr.write(
            f"vedette: {error.filename}: {error.strerror}\nhint: the agent needs root, and a log folder that it can write\n"
        )
        return 2
    except (SettingsError, FolderInUseError, OSError) as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 2
    try:
        return turn(agent, logger, [watcher([settings.policies.folder], agent.changed)])
    except SettingsError as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 2
    except SensorError as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 1
