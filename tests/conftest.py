"""What every test may ask for: real containers, and the check that nothing is left behind."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.containers.runc import Box, MakeBox
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop

USUAL = Recipe()


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
