"""The page of commands, from the command line's own help."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from agent.__main__ import app
from docs.tables import code, page, table

INTRO = "`vedette COMMAND --help` says the same on the terminal."
OURS_NOT = {"install_completion", "show_completion"}  # typer's own

Command: TypeAlias = TyperCommand | TyperGroup


def text() -> str:
    """Every command with its arguments and options."""
    root: Any = get_command(app)
    return page("Commands", INTRO, _commands(root, "vedette"), source="agent/__main__.py")


def _commands(command: Command, name: str) -> Iterator[str]:
    yield _one(command, name)
    if isinstance(command, TyperGroup):
        below: dict[str, Any] = dict(command.commands)
        for word, inner in below.items():
            if not inner.hidden:
                yield from _commands(inner, f"{name} {word}")


def _one(command: Command, name: str) -> str:
    doc = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = [_row(it) for it in command.params if isinstance(it, TyperArgument | TyperOption) and _is_shown(it)]
    return f"## {name}\n\n{doc}" + (f"\n\n{table(('argument', 'default', 'meaning'), rows)}" if rows else "")


def _is_shown(parameter: TyperArgument | TyperOption) -> bool:
    return not parameter.hidden and parameter.name not in OURS_NOT


def _row(parameter: TyperArgument | TyperOption) -> tuple[str, ...]:
    is_option = isinstance(parameter, TyperOption)
    name = ", ".join([*parameter.opts, *parameter.secondary_opts]) if is_option else (parameter.name or "").upper()
    return code(name), _default(parameter.default), " ".join((parameter.help or "").split())


def _default(value: object) -> str:
    return "" if value in (None, False, (), []) or callable(value) else code(str(value))
