"""`vedette explain`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.outputs.lines import COLOURS, PLAIN, line_of
from agent.outputs.reading import find
from agent.policies import Policies
from agent.settings import SettingsError, load
from model.explain import explain as reasons
from model.record import Finding, Note, Record


def explain(record_id: str, file: Path | None, overrides: Mapping[str, Any], *, as_json: bool) -> int:
    """The exit code: 1 where there is no such record."""
    try:
        settings = load(file, overrides=overrides)
    except SettingsError as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 2
    entry = find(settings.log.folder, record_id)
    record = find(settings.log.folder, entry.record) if isinstance(entry, Finding) else entry
    if record is None or entry is None:
        sys.stderr.write(f"vedette: no record {record_id} in {settings.log.folder}\nhint: ids are agent/boot/log/index, as each line of the log begins\n")
        return 1
    policies = Policies([settings.policies.folder])
    policies.load()
    steps = _steps(policies, record)
    if as_json:
        sys.stdout.write(json.dumps({"record": msgspec.to_builtins(record), "rules": steps}) + "\n")
    else:
        style = COLOURS if sys.stdout.isatty() else PLAIN
        sys.stdout.write(line_of(record, style, 160) + "\n")
        for step in steps:
            mark = "►" if step["decisive"] else "·"
            sys.stdout.write(f"  {mark} {step['rule']}  {step['source']}: {step['why']}\n")
        if not steps:
            sys.stdout.write("  no selected policy mentions what it did: recorded, not judged\n")
    return 0


def _steps(policies: Policies, record: Record | Finding | Note) -> list[dict[str, Any]]:
    if not isinstance(record, Record) or record.origin is None:
        return []
    tables = policies.compiled(record.origin.container)
    return [msgspec.to_builtins(step) for step in reasons(tables, record.event, record.origin)]
