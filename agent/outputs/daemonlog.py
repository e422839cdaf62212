"""The daemon's own log, on standard error: JSON where nobody looks, colours on a terminal. Not a record of containers.

No global configuration: the logger is made once and passed on. In the loop nothing is logged an event; `Sparse` is for what
may happen often.
"""

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from model.text import printable

CAUSES: Final = 256


def daemon_logger(stream: TextIO, level: str = "info", *, colours: bool | None = None) -> FilteringBoundLogger:
    """A logger that writes to this stream. Values are shown escaped: they may be a container's text."""
    people = stream.isatty() if colours is None else colours
    chain: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last = structlog.dev.ConsoleRenderer(colors=True) if people else structlog.processors.JSONRenderer()
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[*chain, _escaped, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    return logger


class Sparse:
    """Tells a cause once, and again after `again_s` with how often it came meanwhile."""

    def __init__(self, log: FilteringBoundLogger, again_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._again_s, self._clock = log, again_s, clock
        self._told: dict[str, tuple[float, int]] = {}

    def warning(self, cause: str, **details: object) -> None:
        """`cause` names a kind of trouble, never a container's text."""
        now_s = self._clock()
        told_s, silent = self._told.get(cause, (float("-inf"), 0))
        if now_s - told_s < self._again_s:
            self._told[cause] = (told_s, silent + 1)
            return
        if cause not in self._told and len(self._told) >= CAUSES:
            self._told.pop(next(iter(self._told)))
        self._told[cause] = (now_s, 0)
        self._log.warning(cause, **details, **({"also": silent} if silent else {}))


def _escaped(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escapes what would steer a terminal. Line breaks stay in tracebacks, which are our own."""
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = "\n".join(map(printable, value.split("\n"))) if name == "exception" else printable(value)
    return fields
