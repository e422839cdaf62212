"""An agent that lives as long as the session and watches every box, and agents of one test alone."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from agent.outputs.reading import read
from agent.outputs.stamp import boot_ns
from model.event import Gap
from model.record import Record
from tests.agent.daemon import Daemon
from tests.agent.sight import Book, Sight
from tests.containers.containerd import Containerd
from tests.containers.runc import Box
from tests.containers.spec import MIGHTY_CAPABILITIES, Recipe
from tests.containers.workshop import Workshop

RULES = Path(__file__).parent / "rules"


@pytest.fixture(scope="session")
def roots(workshop: Workshop, containerd: Containerd) -> list[str]:
    """Where the tests' runtimes keep their records."""
    return [f"runc:{workshop.runtime_root}", f"containerd:{containerd.state}"]


@pytest.fixture(scope="session")
def daemon(workshop: Workshop, roots: list[str]) -> Iterator[Daemon]:
    """The session's agent, with the policies of `rules/`. Some seconds once. It may not have failed at anything."""
    folder = workshop.folder / "agent"
    folder.mkdir()
    with Daemon(folder, RULES, roots) as running:
        yield running
    assert "Traceback" not in running.said, running.said
    gaps = [entry.event for entry in read(running.log, "evidence") if isinstance(entry, Record) and isinstance(entry.event, Gap)]
    assert not [gap for gap in gaps if gap.place == "agent.pipeline"], "an event failed in the agent"


@pytest.fixture(scope="session")
def book(daemon: Daemon) -> Book:
    return Book(daemon.log)


@pytest.fixture
def agent(book: Book) -> Sight:
    """What the session's agent writes of what happens in this test."""
    return Sight(book, boot_ns())


class StartAgent(Protocol):
    """The fixture `agent_of_its_own`: policies by file, arguments of `run`, settings."""

    def __call__(self, rules: Mapping[str, str] | None = None, *arguments: str, **settings: Any) -> Daemon: ...


@pytest.fixture
def agent_of_its_own(roots: list[str], workshop: Workshop) -> Iterator[StartAgent]:
    """Makes agents that live as long as the test: `agent_of_its_own({"web.yaml": "…"}, "--record", "/x", budgets={…})`."""
    with ExitStack() as stack:

        def make(rules: Mapping[str, str] | None = None, *arguments: str, **settings: Any) -> Daemon:
            folder = workshop.folder / f"agent-{secrets.token_hex(3)}"
            (folder / "rules").mkdir(parents=True)
            for name, text in {"marks.yaml": (RULES / "marks.yaml").read_text(), **(rules or {})}.items():
                (folder / "rules" / name).write_text(text)
            return stack.enter_context(Daemon(folder, folder / "rules", roots, settings, arguments))

        yield make


def a_name(kind: str) -> str:
    """A container's name that the policies for `kind-*` select."""
    return f"{kind}-{secrets.token_hex(3)}"


class MakeNamedBox(Protocol):
    """The fixture `a_box`."""

    def __call__(self, kind: str, layer: Path | None = None, **recipe: Any) -> Box: ...


@pytest.fixture
def a_box(workshop: Workshop, daemon: Daemon) -> Iterator[MakeNamedBox]:
    """Makes boxes that live as long as the test: `a_box("web", readonly=True)` is called web-…; `layer` comes over the image."""
    with ExitStack() as stack:

        def make(kind: str, layer: Path | None = None, **recipe: Any) -> Box:
            box = Box(workshop, Recipe(name=a_name(kind), **recipe))
            if layer:
                box.lower = Path(f"{layer}:{workshop.image}")  # as overlayfs has it: the upper one first
            return stack.enter_context(box)

        yield make


@pytest.fixture(scope="module")
def plain(workshop: Workshop, daemon: Daemon) -> Iterator[Box]:
    """A box as it comes, which the agent saw from its beginning."""
    with Box(workshop, Recipe(name=a_name("plain"))) as box:
        yield box


@pytest.fixture(scope="module")
def mighty(workshop: Workshop, daemon: Daemon) -> Iterator[Box]:
    """One that may mount and use handles."""
    with Box(workshop, Recipe(name=a_name("mighty"), capabilities=MIGHTY_CAPABILITIES)) as box:
        yield box
