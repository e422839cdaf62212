"""Where records come from: the kernel's rings, or a file."""

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol


class Channel(IntEnum):
    """What a raw record came by. On a recording each frame says it."""

    URGENT = 0  # exec, privilege, denied, control
    NOVELTY = 1  # first sights
    REPORTS = 2  # `struct report` of a sweep
    FACT = 3  # JSON of the agent: what a replay must know and can't find out without root


Tap = Callable[[int, list[bytes]], None]
"""Sees each batch of raw records with its channel before anybody decodes it."""


class Source(Protocol):
    """Gives raw records in the order in which they are to be decoded, each beginning with `struct event`."""

    @property
    def ended(self) -> bool:
        """No record will ever come again: the end of a recording."""

    def poll(self, timeout_s: float) -> list[bytes]:
        """Wait until something came, at most so long; then what is there, by its time, within a bound."""

    def close(self) -> None:
        """Give back what is held."""
