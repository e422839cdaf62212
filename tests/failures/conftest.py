"""Agents of one test alone: each has its own folder, log and policies."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.containers.workshop import Workshop
from tests.failures.agents import Agent

ALL = "{containers: {names: ['*']}}"


def policy(name: str, verbs: str) -> str:
    """A policy for every container: `policy("no-shadow", "read: {deny: [/etc/shadow]}")`."""
    return f"apiVersion: vedette.dev/v1alpha1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n  select: {ALL}\n  {verbs}\n"


class MakeAgent(Protocol):
    """The fixtures `make_agent` and `start_agent`."""

    def __call__(self, rules: Mapping[str, str] | None = None, **settings: Any) -> Agent: ...


@pytest.fixture
def make_agent(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeAgent]:
    """An agent that is not started: `make_agent({"web.yaml": "…"}, sensor={…})`. If it runs at the end, it is killed."""
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")  # one that hangs says where, see Agent.end
    with ExitStack() as stack:

        def make(rules: Mapping[str, str] | None = None, **settings: Any) -> Agent:
            folder = workshop.folder / f"agent-{secrets.token_hex(3)}"
            (folder / "rules").mkdir(parents=True)
            for name, text in (rules or {}).items():
                (folder / "rules" / name).write_text(text)
            made = Agent(folder, folder / "rules", [f"runc:{workshop.runtime_root}"], settings)
            stack.callback(_end, made)
            return made

        yield make


@pytest.fixture
def start_agent(make_agent: MakeAgent) -> Callable[..., Agent]:
    """The same, started and ready."""

    def start(rules: Mapping[str, str] | None = None, **settings: Any) -> Agent:
        made = make_agent(rules, **settings)
        made.start()
        return made

    return start


@pytest.fixture
def folder(workshop: Workshop) -> Path:
    """An empty folder that everybody may enter."""
    made = workshop.folder / f"folder-{secrets.token_hex(3)}"
    made.mkdir(mode=0o755)
    return made


def _end(agent: Agent) -> None:
    if agent.runs:
        agent.kill()
