"""One record, one line for people: time, container, program, verb, subject, verdict. Pure; every text through printable().

17:26:41.123  shop/web-0/nginx      nginx        read     /etc/nginx/nginx.conf              allowed
17:26:41.900  shop/web-0/nginx      sh           exec     /tmp/x -c "…"            ✗ exec.not_allowed
└ high · evidence/7 · rules/web.yaml:4:3 · by nginx > sh
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from agent.outputs.causes import session_of
from agent.outputs.workload import label, network, subject_of
from model.event import (
    Access,
    Change,
    Dns,
    Event,
    Exec,
    Exit,
    Gap,
    Handover,
    Left,
    Load,
    Net,
    Open,
    Privilege,
    Session,
    Socket,
    Unix,
)
from model.record import Finding, Note, Record
from model.text import printable
from model.verdict import Mode, Outcome, Verdict

NARROW: Final = 108  # below that, names give way before the subject does
ENDLESS: Final = 4096  # of a file or pipe: nothing is cut where nobody has a width
VERB_WIDTH: Final = 8
LEAST_SUBJECT: Final = 16
TEXT_LIMIT: Final = ENDLESS  # characters of a text that are looked at: no screen is wider
_BLANKS: Final = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty"))


class Style(NamedTuple):
    """Colours and marks; all empty where the terminal has none."""

    dim: str = ""
    loud: str = ""
    warn: str = ""
    good: str = ""
    name: str = ""
    end: str = ""
    cross: str = "!"
    branch: str = "\\"
    dot: str = "-"
    cut: str = "~"
    ids: bool = True  # of findings: for `explain`, where there is a log to look them up in


PLAIN: Final = Style()
UNICODE: Final = Style(cross="✗", branch="└", dot="·", cut="…")
COLOURS: Final = Style("\x1b[2m", "\x1b[1;31m", "\x1b[33m", "\x1b[2;32m", "\x1b[36m", "\x1b[0m", "✗", "└", "·", "…")


def is_noise(entry: Record | Finding | Note) -> bool:
    """What every program does all day and tells nobody anything: opens of /dev/null and its like. Never a violation."""
    if not isinstance(entry, Record) or not isinstance(entry.event, Open) or entry.event.file.path not in _BLANKS:
        return False
    return entry.verdict is None or entry.verdict.outcome is not Outcome.VIOLATION


def line_of(entry: Record | Finding | Note, style: Style, width: int) -> str:
    """The line, without its newline; "" for what people need not see: counts, mounts, heartbeats, the runtime's own steps."""
    if isinstance(entry, Finding):
        return _finding(entry, style, width)
    if isinstance(entry, Note):
        return _note(entry, style, width)
    if isinstance(entry.event, Gap):
        return _gap(entry, entry.event, style, width)
    say = None if session_of(entry.event) is Session.RUNTIME else _SAYS.get(type(entry.event))
    return _record(entry, *say(entry.event), style, width) if say else ""


class _Columns(NamedTuple):
    """Cells of the columns before the subject, and what is left for it and the verdict's word."""

    time: int
    container: int
    program: int
    rest: int


def _columns(width: int) -> _Columns:
    """On a narrow screen names give way, then parts of a second."""
    time, container, program = (12, 22, 13) if width >= NARROW else (8, 10, 8)
    return _Columns(time, container, program, width - time - container - program - VERB_WIDTH - 8)


def _record(record: Record, verb: str, subject: str, style: Style, width: int) -> str:
    word, colour = _word(record.verdict, record.event, style)
    columns, subject = _columns(width), f"{subject}{_entered(record)}"
    if width < NARROW:  # the column of the verb says the reason's first half
        word = word.replace(f" {word.rpartition(' ')[2].partition('.')[0]}.", " ")
    if width == ENDLESS:
        told = f"{printable(subject):<40}"
    else:
        room = max(LEAST_SUBJECT, columns.rest - cell_len(word) - 1)
        told = fit(subject, room, style, keep_end=not isinstance(record.event, Exec | Handover))
    container = fit(label(record.origin.container) if record.origin else "", columns.container, style)
    program, verb = fit(_program(record), columns.program, style), fit(verb, VERB_WIDTH, style)
    when = record.time[11 : 11 + columns.time]
    left = f"{style.dim}{when}{style.end}  {style.name}{container}{style.end}  {program}  {style.dim}{verb}{style.end}"
    if colour is style.loud:
        told = f"{style.loud}{told}{style.end}"
    return f"{left}  {told} {colour}{word}{style.end}".rstrip()


def _entered(record: Record) -> str:
    """A program that somebody outside started in the container: `docker exec`, `kubectl exec`, nsenter."""
    event, origin = record.event, record.origin
    comes_in = isinstance(event, Exec) and event.actor.session is Session.EXEC and origin is not None and not origin.lineage
    return " (from outside)" if comes_in else ""


def _word(verdict: Verdict | None, event: Event, style: Style) -> tuple[str, str]:
    """The verdict's word and its colour. Nothing for what no policy mentions."""
    if session_of(event) is Session.RUNTIME:
        return "runtime", style.dim
    if verdict is None or verdict.outcome is Outcome.UNJUDGED:
        return "standing" if getattr(event, "standing", False) else "", style.dim
    if verdict.outcome is Outcome.ALLOWED:
        return "allowed", style.good
    if verdict.mode is Mode.LEARN:
        return f"learn {verdict.reason.value}", style.warn
    return f"{style.cross} {verdict.reason.value}", style.loud


def _finding(finding: Finding, style: Style, width: int) -> str:
    """Below its record: how bad, which line of which policy, and who started it."""
    times = f"{finding.count} times" if finding.count > 1 else ""
    lineage = " > ".join(reversed([path.rpartition("/")[2] for path in finding.lineage]))
    what = f"{finding.reason} {finding.subject}" if times or not finding.source else ""
    short = finding.id.partition("/")[2].partition("/")[2] if style.ids else ""  # what `vedette explain` takes
    by = f"by {lineage}" if lineage else ""
    parts = [part for part in (finding.severity, short, what, times, finding.source, by) if part]
    text = fit(f"{style.branch} " + f" {style.dot} ".join(parts), max(LEAST_SUBJECT, width - 14), style).rstrip()
    colour = style.loud if finding.severity in ("high", "critical") else style.warn
    return f"{' ' * 14}{colour}{text}{style.end}"


def _gap(record: Record, gap: Gap, style: Style, width: int) -> str:
    count = "an unknown number of" if gap.count < 0 else str(gap.count)
    text = f"{count}{f' {gap.what}' if gap.what else ''} events are not itemised ({gap.place})"
    return f"{style.dim}{record.time[11:23]}{style.end}  {style.warn}{fit(text, max(40, width - 14), style).rstrip()}{style.end}"


def _note(note: Note, style: Style, width: int) -> str:
    say = _NOTES.get(note.kind)
    if say is None:
        return ""
    text = fit(say(note.says), max(40, width - 14), style).rstrip()
    return f"{style.dim}{note.time[11:23]}  {text}{style.end}"


def _start(says: Mapping[str, Any]) -> str:
    unseen = f"; this kernel has no {', '.join(says['missing'])}" if says.get("missing") else ""
    log = f"; log in {says['log']}" if says.get("log") else ""
    metrics = f", metrics on {says['metrics']}" if says.get("metrics") else ""
    return f"watching, as pid {says.get('pid', '?')}{log}{metrics}{unseen}"


def _policies(says: Mapping[str, Any]) -> str:
    if says.get("errors"):
        count = says["errors"]
        first = str(says.get("first", "")).partition("\n")[0]
        kept = says.get("policies", 0)
        stay = f"the {kept} before stay in force" if kept else "none is in force"
        return f"{first}: {count} error{'' if count == 1 else 's'} in the policies, {stay}"
    count = says.get("policies", 0)
    moved = ", ".join(f"{how} {name}" for how in ("added", "removed", "changed") for name in says.get(how, ())[:_NAMED])
    return f"{count} {'policy' if count == 1 else 'policies'} in force{f': {moved}' if moved else ''}"


def _rejudged(says: Mapping[str, Any]) -> str:
    told = ", ".join(f"{says[name]} {text}" for name, text in _JUDGED.items() if says.get(name))
    return f"all that was known is judged again: {told or 'nothing changes'}"


_NAMED: Final = 5
_JUDGED: Final = {
    "violation": "now forbidden",
    "standing": "running and now forbidden",
    "allowed": "no longer forbidden",
    "news": "to be judged at the next hit",
}
_NOTES: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "start": _start,
    "stop": lambda _: "stopped",
    "policies": _policies,
    "rejudged": _rejudged,
}


def fit(text: str, width: int, style: Style, *, keep_end: bool = False) -> str:
    """The printable text in exactly so many cells. What is too long loses its end, or its begin: a path's end says more."""
    shown = printable(text[-TEXT_LIMIT:] if keep_end else text[:TEXT_LIMIT])
    cells = cell_len(shown)
    if cells <= width:
        return shown + " " * (width - cells)
    if not keep_end:
        return set_cell_size(shown, width - 1) + style.cut
    while cell_len(shown) > width - 1:
        shown = shown[1:]
    return style.cut + shown + " " * (width - 1 - cell_len(shown))


def _program(record: Record) -> str:
    """What runs: after an exec the new program, whose task still has the old one's `comm` when the kernel tells of it."""
    event, process = record.event, record.origin.process if record.origin else None
    if isinstance(event, Exec):
        return _name(event.file.path, event.argv)
    if process is not None and process.path:
        return _name(process.path, process.argv)
    actor = getattr(event, "actor", None)
    return actor.comm if actor else ""


def _name(path: str, argv: tuple[str, ...]) -> str:
    """The file's name; what it was called as, too, where that is another word: `busybox:nc`, `dash:sh`.

    The file's comes first, and is never left out: argv[0] is whatever the caller chose.
    """
    name = path.rpartition("/")[2]
    called = argv[0].rpartition("/")[2].removeprefix("-") if argv else ""
    return name if not called or name.startswith(called) or called.startswith(name) else f"{name}:{called}"


def _exec(event: Exec) -> tuple[str, str]:
    return "exec", " ".join((subject_of(event), *(_quoted(word) for word in event.argv[1:65])))


def _quoted(word: str) -> str:
    return f'"{word}"' if not word or " " in word else word


def _exit(event: Exit) -> tuple[str, str]:
    how = f"signal {event.signal}" if event.signal else f"status {event.status}"
    return "exit", f"{how} after {event.duration_ns / 1e9:.3f} s"


def _open(event: Open) -> tuple[str, str]:
    writes = event.access & (Access.WRITE | Access.CREATE | Access.TRUNCATE | Access.APPEND)
    return "write" if writes else "read", event.file.path


def _net(event: Net) -> tuple[str, str]:
    name = f" {event.name}" if event.name else ""
    failed = f" ({os.strerror(event.result).lower()})" if event.result > 0 else ""
    return event.direction.name.lower(), network(event) + name + failed


def _dns(event: Dns) -> tuple[str, str]:
    said = "asked" if event.rcode < 0 else ", ".join(event.addresses) or f"rcode {event.rcode}"
    return "dns", f"{event.name} {said}"


def _handover(event: Handover) -> tuple[str, str]:
    return "start", f"the container's own program, pid {event.actor.pid}"


_SAYS: dict[type, Callable[[Any], tuple[str, str]]] = {
    Exec: _exec,
    Exit: _exit,
    Open: _open,
    Load: lambda event: ("load", event.file.path),
    Change: lambda event: (event.operation.name.lower(), subject_of(event)),
    Net: _net,
    Socket: lambda event: ("socket", subject_of(event)),
    Unix: lambda event: ("unix", subject_of(event)),
    Dns: _dns,
    Handover: _handover,
    Left: lambda event: ("leave", subject_of(event)),
    Privilege: lambda event: ("gain", subject_of(event)),
}
