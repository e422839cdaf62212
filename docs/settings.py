"""The page of settings, from agent/settings.py."""

from inspect import cleandoc
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent import settings
from docs.tables import code, page, table

INTRO = f"""Later ones win: the default, the file `{settings.FILE}`, the environment, the command line. An unknown name is
an error, with the nearest known one as a hint. In the file, `log.folder` is written `log: {{folder: …}}`."""


def text() -> str:
    """Every setting with its default, its environment variable and its meaning, grouped by part."""
    return page("Settings", INTRO, [_part(settings.Settings, ""), *_parts()], source="agent/settings.py")


def _parts() -> list[str]:
    """Groups in the order of the file; a group of groups is one table."""
    groups = ((name, field.annotation) for name, field in settings.Settings.model_fields.items())
    return [_part(model, name) for name, model in groups if isinstance(model, type) and issubclass(model, BaseModel)]


def _part(model: type[BaseModel], name: str) -> str:
    title = f"## {name}" if name else "## General"
    rows = [_row(f"{name}." if name else "", found) for found in settings.names(model) if name or "." not in found[0]]
    doc = cleandoc(model.__doc__ or "")
    return f"{title}\n\n{doc}\n\n{table(('setting', 'default', 'environment', 'meaning'), rows)}"


def _row(above: str, found: tuple[str, type[BaseModel], str]) -> tuple[str, ...]:
    dotted, model, name = found
    field = model.model_fields[name]
    meaning = " ".join((field.description or "").split()) + _choices(field)
    full = above + dotted
    return code(full), code(_default(full)), code(settings.variable_of(full)), meaning


def _choices(field: FieldInfo) -> str:
    words = [word for word in get_args(field.annotation) if isinstance(word, str)]
    return f" One of: {', '.join(map(code, words))}." if words else ""


def _default(dotted: str) -> str:
    """The value in force where nobody sets it: a group may give its members other defaults than their class."""
    value: object = settings.Settings()
    for part in dotted.split("."):
        value = getattr(value, part)
    return _written(value)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return str(value) or '""'
