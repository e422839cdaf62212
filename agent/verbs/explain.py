"""`vedette explain`."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any

import msgspec

from agent.outputs.lines import COLOURS, PLAIN, line_of
from agent.outputs.reading import find, full_id, is_id, offset_of
from agent.policies import Policies, policies_of
from agent.settings import Settings, SettingsError, load
from agent.verbs.refusal import refused
from model.explain import Explanation, Tried
from model.explain import explain as reasons
from model.record import Finding, Note, Record
from model.text import printable
from model.verdict import Verdict

NARROWEST = 40  # columns
AN_ID = "an id is agent/boot/log/index, as each line of the log begins; or log/index, as the screen shows it"


def explain(record_id: str, file: Path | None, overrides: Mapping[str, Any], *, as_json: bool) -> int:
    """The exit code: 1 where there is no such record."""
    if not is_id(record_id):
        return refused(f"{printable(record_id)}: not the id of a record", AN_ID)
    try:
        settings = load(file, overrides=overrides, present=("policies.folder",))
        return _explain(settings, record_id, as_json=as_json)
    except (SettingsError, OSError) as error:
        return refused(error)


def _explain(settings: Settings, record_id: str, *, as_json: bool) -> int:
    entry = find(settings.log.folder, full_id(settings.log.folder, record_id))
    record = find(settings.log.folder, entry.record) if isinstance(entry, Finding) else entry
    if record is None or entry is None:
        sys.stderr.write(f"vedette: no record {printable(record_id)} in {settings.log.folder}\nhint: {AN_ID}\n")
        return 1
    policies = policies_of(settings.policies.folder, offset_of(record))
    for problem in policies.problems:
        sys.stderr.write(f"vedette: {problem}\n")
    explained = _explained(policies, record)
    if as_json:
        told = msgspec.to_builtins(explained) if explained else None
        sys.stdout.write(json.dumps({"record": msgspec.to_builtins(record), "explanation": told}) + "\n")
    else:
        width = max(NARROWEST, shutil.get_terminal_size().columns)
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in _lines(record, explained, width))
    return 0


def _explained(policies: Policies, record: Record | Finding | Note) -> Explanation | None:
    if not isinstance(record, Record) or record.origin is None:
        return None
    return reasons(policies.compiled(record.origin.container), record.event, record.origin)


def _lines(record: Record | Finding | Note, explained: Explanation | None, width: int) -> Iterator[str]:
    style = COLOURS if sys.stdout.isatty() else PLAIN
    yield line_of(record, style, width) or f"{record.id}  (no line of the screen: see --json)"
    if explained is None:
        yield "it is of no container that is known: not judged"
        return
    yield from _wrapped(explained.why, width)
    if isinstance(record, Record) and record.verdict is not None and _differs(record.verdict, explained.verdict):
        said = f"{record.verdict.reason or record.verdict.outcome} {record.verdict.source}".rstrip()
        yield from _wrapped(f"the record says {said}: the policies were others then", width)
    for (verb, subject), rules in groupby(explained.tried, lambda one: (one.verb, one.subject)):
        yield ""
        yield from _wrapped(f"{verb}  {subject}", width)
        for tried in rules:
            yield from _tried(tried, width)
    if explained.tried:
        yield ""
        yield "► decisive   ✓ matches   · does not" if any(one.decisive for one in explained.tried) else "no rule is decisive"


def _differs(then: Verdict, now: Verdict) -> bool:
    return (then.outcome, then.reason, then.rule) != (now.outcome, now.reason, now.rule)


def _tried(tried: Tried, width: int) -> Iterator[str]:
    mark = "►" if tried.decisive else "✓" if tried.matched else "·"
    yield from _wrapped(f"{mark} {tried.which:5}  {printable(tried.text)}", width, 2, 11)
    yield from _wrapped(f"{tried.why} ({printable(tried.source)})", width, 11, 13)


def _wrapped(text: str, width: int, indent: int = 0, rest: int = 2) -> Iterator[str]:
    yield from wrap(text, width, initial_indent=" " * indent, subsequent_indent=" " * rest, break_on_hyphens=False)
