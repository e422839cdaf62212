"""What every test may ask for: real containers, and the check that nothing is left behind."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.containers import leaks
from tests.containers.containerd import Containerd
from tests.containers.pods import Pods
from tests.containers.runc import Box, MakeBox
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop

USUAL = Recipe()


def pytest_configure() -> None:
    """Mark what the session starts, so that a process left behind is known by its environment."""
    os.environ[leaks.MARK] = str(os.getpid())


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a module whose tests left a process, mount, cgroup, network namespace, BPF pin or temporary folder."""
    before = leaks.traces()
    yield
    left = leaks.left_since(before)
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_by_the_session() -> Iterator[None]:
    """The same at the end, for what may live as long as the session."""
    before = leaks.traces(session=True)
    yield
    left = leaks.left_since(before, session=True)
    assert not left, "left behind by the session:\n" + "\n".join(left)


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """The session's folder, image and programs."""
    with Workshop() as made:
        yield made


@pytest.fixture(scope="session")
def image(workshop: Workshop) -> Path:
    """The image's root folder: the lower layer of every box."""
    return workshop.image


@pytest.fixture(scope="session")
def programs(workshop: Workshop) -> Path:
    """The folder of built programs."""
    return workshop.programs


@pytest.fixture
def box(workshop: Workshop) -> Iterator[MakeBox]:
    """Makes boxes that live as long as the test: `box()`, `box(Recipe(name="web"))`. Started."""
    with ExitStack() as stack:

        def make(recipe: Recipe = USUAL, /) -> Box:
            return stack.enter_context(Box(workshop, recipe))

        yield make


@pytest.fixture(scope="session")
def containerd(workshop: Workshop) -> Iterator[Containerd]:
    """A containerd of our own with the session's image. 2 s once."""
    with Containerd(workshop) as running:
        yield running


@pytest.fixture(scope="session")
def pods(containerd: Containerd) -> Iterator[Pods]:
    """The same containerd as the kubelet sees it. 1 s once."""
    with Pods(containerd) as ready:
        yield ready
