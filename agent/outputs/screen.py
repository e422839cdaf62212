"""Live output of `run`: lines for people on a terminal, JSON lines elsewhere.

A terminal or a pipe may stop reading at any time, so a thread writes. The loop hands over references; what finds the queue
full is counted and said in one line. What waits is shown by its time: what was held for its container's name comes late.
"""

import os
import shutil
import time
from collections import deque
from io import TextIOWrapper
from operator import attrgetter
from threading import Event, Thread
from typing import Final, TextIO, TypeAlias

import msgspec

from agent.outputs.lines import COLOURS, ENDLESS, PLAIN, UNICODE, Style, is_noise, line_of
from model.record import Finding, Note, Record

Entry: TypeAlias = Record | Finding | Note
QUEUE: Final = 4096  # records that wait for a slow terminal
_GATHER_S: Final = 0.015  # before a frame: time for the loop to hand over all that it read at once
_LINGER_S: Final = 0.015  # after it: people see no difference, and a burst is one write
_BATCH: Final = 256
_WIDTH_S: Final = 1.0
_WHEN: Final = attrgetter("time")  # RFC 3339 of one form: sorts as text


class Screen:
    """An output. `style` and `width` are found from the stream; None for `style` means JSON lines."""

    def __init__(self, stream: TextIO, style: Style | None, width: int | None = None) -> None:
        self._stream, self._style = stream, style
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may have letters that the terminal's encoding lacks
        self._given_width = width if width or stream.isatty() or "COLUMNS" in os.environ else ENDLESS
        self._width, self._measured_s = self._given_width or 100, float("-inf")
        self._encode = msgspec.json.Encoder().encode
        self._queue: deque[Entry] = deque()
        self._wake, self._ending = Event(), False
        self._skipped = 0
        self._last: Entry | None = None  # that waited for its finding
        self.not_shown = 0
        self.gone = False  # nobody reads any more
        self._thread = Thread(target=self._show_all, name="screen", daemon=True)
        self._thread.start()

    def write(self, record: Entry) -> None:
        """Show it soon. Never waits."""
        if len(self._queue) >= QUEUE or self.gone:
            self._skipped += 1
            return
        self._queue.append(record)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, deadline_s: float = 1.0) -> None:
        """Show what waits, within the deadline."""
        self._ending = True
        self._wake.set()
        self._thread.join(deadline_s)

    def _show_all(self) -> None:
        while not self.gone and not (self._ending and not self._queue):
            self._wake.wait()
            self._wake.clear()
            if not self._ending:
                time.sleep(_GATHER_S)
            self._show_frame()
            if not self._ending:
                time.sleep(_LINGER_S)

    def _show_frame(self) -> None:
        """What waits now, by its time: at most QUEUE. A finding has its record's time, and so stays below it.

        A record that is the newest waits for one more frame: its finding may not be here yet. Any record may have one, whatever
        its verdict, see `causes.of_its_own`.
        """
        waiting = [self._queue.popleft() for _ in range(len(self._queue))]
        if waiting and not self._ending and self._may_be_followed(waiting[-1]):
            self._last = waiting[-1]
            self._queue.appendleft(waiting.pop())
            self._wake.set()
        waiting.sort(key=_WHEN)
        for begin in range(0, len(waiting), _BATCH):
            if not self.gone:
                self._show(waiting[begin : begin + _BATCH])

    def _may_be_followed(self, entry: Entry) -> bool:
        return isinstance(entry, Record) and entry is not self._last

    def _show(self, entries: list[Entry]) -> None:
        texts = [text for text in map(self._text, entries) if text]
        skipped, self._skipped = self._skipped, 0
        if skipped:
            self.not_shown += skipped
            texts.append(self._skipping(skipped))
        try:
            self._stream.write("".join(f"{text}\n" for text in texts))
            self._stream.flush()
        except (OSError, ValueError):  # closed pipe, closed stream: the log has everything
            self.gone = True

    def _text(self, entry: Entry) -> str:
        if self._style is None:
            return self._encode(entry).decode()
        return "" if is_noise(entry) else line_of(entry, self._style, self._current_width())

    def _skipping(self, count: int) -> str:
        if self._style is None:
            return self._encode({"kind": "not_shown", "count": count}).decode()
        return f"{self._style.warn}{count} lines are not shown: the terminal is too slow; the log has them{self._style.end}"

    def _current_width(self) -> int:
        """The terminal's width, measured once a second: people resize it."""
        now_s = time.monotonic()
        if self._given_width is None and now_s - self._measured_s > _WIDTH_S:
            self._width, self._measured_s = shutil.get_terminal_size((100, 24)).columns, now_s
        return self._width


def style_for(stream: TextIO, output: str = "auto", *, ids: bool = True) -> Style | None:
    """How to write to this stream; None: JSON lines. Colours on a terminal that is not a dumb one, or with FORCE_COLOR.

    NO_COLOR has the last word. `ids`: findings show theirs, since a log is kept.
    """
    if output == "json" or (output == "auto" and not stream.isatty()):
        return None
    if "utf" not in (stream.encoding or "").lower():
        return PLAIN._replace(ids=ids)
    wanted = os.environ.get("FORCE_COLOR") or (stream.isatty() and os.environ.get("TERM") != "dumb")
    return (COLOURS if wanted and not os.environ.get("NO_COLOR") else UNICODE)._replace(ids=ids)
