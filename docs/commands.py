"""The page of commands, from the command line's own help."""

from collections.abc import Iterator

import click
import typer

from agent.__main__ import app
from docs.tables import code, page, table

INTRO = "`vedette COMMAND --help` says the same on the terminal."


def text() -> str:
    """Every command with its arguments and options."""
    return page("Commands", INTRO, _commands(typer.main.get_command(app), "vedette"), source="agent/__main__.py")


def _commands(command: click.Command, name: str) -> Iterator[str]:
    yield _one(command, name)
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            if not inner.hidden:
                yield from _commands(inner, f"{name} {word}")


def _one(command: click.Command, name: str) -> str:
    doc = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    return f"## {name}\n\n{doc}" + (f"\n\n{table(('argument', 'default', 'meaning'), rows)}" if rows else "")


def _row(parameter: click.Parameter) -> tuple[str, ...]:
    is_option = isinstance(parameter, click.Option)
    name = ", ".join([*parameter.opts, *parameter.secondary_opts]) if is_option else (parameter.name or "").upper()
    default = parameter.default
    shown = "" if default is None or default is False or callable(default) or default == () else code(str(default))
    return code(name), shown, " ".join(str(getattr(parameter, "help", "") or "").split())
