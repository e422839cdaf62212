"""Writes docs/reference from the code: `python -m docs.generate`; with `--check` only says which pages are stale."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.sensor import hooks as places
from agent.verbs import schema
from docs import commands, metrics, settings
from docs.sources import Class, Field, classes
from docs.tables import code, page, table

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"

VERBS = {
    "not_allowed": "A policy has an allow list for `{verb}`, and nothing in it matches.",
    "denied": "A `deny` entry for `{verb}` matches.",
}


def pages() -> dict[str, str]:
    """Every page of the reference: file name → text."""
    makers: dict[str, Callable[[], str]] = {
        "commands.md": commands.text,
        "hooks.md": hooks,
        "metrics.md": metrics.text,
        "policy.schema.json": lambda: schema.text(tests=False),
        "policy-test.schema.json": lambda: schema.text(tests=True),
        "problems.md": problems,
        "reasons.md": reasons,
        "records.md": records,
        "settings.md": settings.text,
    }
    return {name: make() for name, make in makers.items()}


def stale() -> list[str]:
    """Pages that don't say what the code says."""
    return [name for name, text in pages().items() if _read(REFERENCE / name) != text]


def records() -> str:
    """Records, findings, events, origins and verdicts, field by field."""
    intro = (
        "A record is one JSON object on one line. Fields with their default value may be left out. Enumerations are written as "
        "numbers where their values are numbers, keys of flows in base64. Where a name says all, it stands alone. Text is in the "
        "reversible form that [records](../concepts/records.md) explains."
    )
    names = ("record", "event", "origin", "verdict")
    found = [item for name in names for item in classes(ROOT / "model" / f"{name}.py") if item.name != "Reason"]
    return page("Records", intro, (_class(item) for item in found), source="model/")


def reasons() -> str:
    """The enumeration of reasons, with what each means."""
    intro = "Why a record was judged as it was, as one word. Log, metric, command line and findings print the same one."
    reason = next(item for item in classes(ROOT / "model" / "verdict.py") if item.name == "Reason")
    rows = ((code(field.value) if field.value else "(empty)", meaning(field)) for field in reason.fields)
    return page("Reasons", intro, [table(("reason", "meaning"), rows)], source="model/verdict.py")


def problems() -> str:
    """The codes of what `vedette check` and `vedette test` tell."""
    intro = (
        "What `vedette check` and `vedette test` tell has a code, for programs (`--json`). Errors: a policy can't be used, or a "
        "case failed. Warnings, from `policy.same_name` on: it can be used, and is perhaps not what was meant."
    )
    kind = next(item for item in classes(ROOT / "model" / "problem.py") if item.name == "Code")
    rows = ((code(field.value), _sentence(field.comment)) for field in kind.fields)
    return page("Problems", intro, [table(("code", "meaning"), rows)], source="model/problem.py")


def hooks() -> str:
    """Where the programs sit in the kernel, and what is unseen where one can't."""
    intro = "Where the programs sit in the kernel. `vedette status` says of each whether it is attached here, and why not."
    rows = ((code(place), places.cost_of("", place)) for place in places.places())
    return page("Hooks", intro, [table(("place", "without it"), rows)], source="agent/sensor/hooks.py")


def meaning(reason: Field) -> str:
    """The comment of a reason, or what its form says: verb.not_allowed, verb.denied."""
    verb, _, kind = reason.value.rpartition(".")
    if not reason.comment and kind in VERBS and verb:
        return VERBS[kind].format(verb=verb)
    return _sentence(reason.comment)


def _class(item: Class) -> str:
    title = f"## {item.name}\n\n"
    if "tag" in item.words:
        title += f'`"kind": "{item.words["tag"]}"`. '
    is_enumeration = not any(field.type for field in item.fields)
    rows = _members(item) if is_enumeration else _rows(item.fields)
    heads = ("name", "value", "meaning") if is_enumeration else ("field", "type", "default", "meaning")
    return f"{title}{item.doc}\n\n{table(heads, rows)}"


def _members(item: Class) -> Iterable[tuple[str, ...]]:
    return ((code(field.name.lower()), code(field.value), _sentence(field.comment)) for field in item.fields)


def _rows(fields: Iterable[Field]) -> Iterable[tuple[str, ...]]:
    return ((code(f.name), code(f.type), code(f.value) if f.value else "", _sentence(f.comment)) for f in fields)


def _sentence(comment: str) -> str:
    return comment[:1].upper() + comment[1:]


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def main() -> int:
    """Write the pages, or check them: 1 where one is stale."""
    if "--check" in sys.argv[1:]:
        found = stale()
        print("\n".join(f"docs/reference/{name} is stale: run: make docs" for name in found), end="\n" if found else "")
        return 1 if found else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
