"""`vedette explain`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.outputs.lines import COLOURS, PLAIN, line_of
from agent.outputs.reading import find, full_id, is_id
from agent.policies import Policies, policies_of
from agent.settings import Settings, SettingsError, load
from agent.verbs.refusal import refused
from model.explain import Explanation
from model.explain import explain as reasons
from model.record import Finding, Note, Record
from model.text import printable

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
    policies = policies_of(settings.policies.folder)
    for problem in policies.problems:
        sys.stderr.write(f"vedette: {problem}\n")
    explained = _explained(policies, record)
    if as_json:
        told = msgspec.to_builtins(explained) if explained else None
        sys.stdout.write(json.dumps({"record": msgspec.to_builtins(record), "explanation": told}) + "\n")
    else:
        style = COLOURS if sys.stdout.isatty() else PLAIN
        sys.stdout.write((line_of(record, style, 160) or f"{record.id}  (no line of the screen: see --json)") + "\n")
        sys.stdout.writelines(f"{line}\n" for line in _lines(explained))
    return 0


def _explained(policies: Policies, record: Record | Finding | Note) -> Explanation | None:
    if not isinstance(record, Record) or record.origin is None:
        return None
    return reasons(policies.compiled(record.origin.container), record.event, record.origin)


def _lines(explained: Explanation | None) -> Iterator[str]:
    if explained is None:
        yield "  it is of no container that is known: not judged"
        return
    yield f"  {explained.why}"
    for tried in explained.tried:
        mark = "►" if tried.decisive else "✓" if tried.matched else "·"
        yield f"  {mark} {tried.verb} {tried.which} {printable(tried.text)}  {tried.source}: {tried.why}"
