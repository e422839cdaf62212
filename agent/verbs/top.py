"""`vedette top`."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, Final

import msgspec

from agent.settings import SettingsError, load
from agent.tasks import end_on_signals
from agent.top.choice import CONTAINER, Choice
from agent.top.columns import NAMES, ordered
from agent.top.feed import Feed, NoAgentError
from agent.top.inside import furthest
from agent.top.pages import inner, page, printed
from agent.top.pen import Pen
from agent.top.snapshot import Snapshot
from agent.top.terminal import Terminal, is_screen
from agent.top.view import View
from agent.top.watch import Watch
from agent.verbs.refusal import refused
from model.text import printable

EVERY_S: Final = 1.0
START = "start one with `vedette run`, or name the folder of its log with --log; `vedette status` says what it sees"


def top(file: Path | None, overrides: Mapping[str, Any], choice: Choice, *, window_s: float, count: int, as_json: bool) -> int:
    """The exit code: 0 also after a signal. After `count` looks it ends; 0: never, but for a table that is only printed."""
    if choice.sort not in NAMES:
        return refused(f"no column {printable(choice.sort)}", f"the columns are: {', '.join(NAMES)}")
    try:
        settings = load(file, overrides=overrides)
        watch = Watch(Feed(settings.log.folder), View(window_s, settings.sensor.all_counts_s))
        with closing(watch):
            return _shown(watch, choice, count, as_json=as_json)
    except NoAgentError as error:
        return refused(error, START)
    except BrokenPipeError:  # `| head`: nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return 0
    except (SettingsError, OSError) as error:
        return refused(error)


def _shown(watch: Watch, choice: Choice, count: int, *, as_json: bool) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # a name that the terminal has no letters for
    pen = Pen(unicode="utf" in sys.stdout.encoding.lower())
    if as_json:
        encode = msgspec.json.Encoder().encode
        return _printed(watch, count, lambda shown: encode(shown).decode())
    if is_screen(sys.stdin, sys.stdout):
        return _live(watch, pen, choice, count)
    width = shutil.get_terminal_size((160, 24)).columns
    return _printed(watch, count or 1, lambda shown: "\n".join(printed(pen, shown, choice.sort, width)))


def _printed(watch: Watch, count: int, text: Callable[[Snapshot], str]) -> int:
    """One snapshot a second."""
    restore = end_on_signals(ending := Event())
    try:
        while not ending.is_set():
            sys.stdout.write(f"{text(watch.look())}\n")
            sys.stdout.flush()
            count -= 1
            if not count:
                break
            ending.wait(EVERY_S)
    finally:
        restore()
    return 0


def _live(watch: Watch, pen: Pen, choice: Choice, count: int) -> int:
    """A frame a second, and one after each key and each change of the size."""
    shown, due_s = watch.look(), time.monotonic() + EVERY_S
    with Terminal(sys.stdin, sys.stdout) as terminal:
        while not choice.ended and not terminal.ended:
            size = terminal.size
            detail = watch.detail(choice.key) if choice.page == CONTAINER else None
            terminal.draw(page(pen, shown, detail, choice, size), size)
            below = furthest(detail, choice, inner(size)) if detail else 0
            for key in terminal.wait(max(0.0, due_s - time.monotonic())):
                choice.press(key, ordered(shown.containers, choice.sort, choice.filter), below)
            if time.monotonic() >= due_s:
                count -= 1
                choice.ended |= not count
                shown, due_s = watch.look(), time.monotonic() + EVERY_S
    return 0
