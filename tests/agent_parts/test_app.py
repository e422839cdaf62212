"""What the composition root keeps on disk."""

from pathlib import Path

import pytest

from agent.app import AGENT_ID, Hold, where
from agent.held import EACH, Held
from agent.settings import Settings, load
from tests.outputs.builders import open_


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(None, overrides={"log.folder": tmp_path / "log"})


def test_the_agent_keeps_its_id(settings: Settings) -> None:
    first = where(settings).agent
    assert len(first) == 32
    assert where(settings).agent == first


def test_what_can_not_wait_for_its_container_s_name_is_counted() -> None:
    held = Held()
    hold = Hold(lambda event: held.hold(99, event))
    first = open_("/0")
    assert [list(hold(event)) for event in (first, *(open_(f"/{number}") for number in range(1, EACH)))] == [[]] * EACH
    assert (list(hold(open_("/one more"))), hold.refused) == ([first], 1)
    ours = open_("/of nobody")
    assert (Hold(lambda event: (event,))(ours), hold.refused) == ((ours,), 1), "what is held for nobody was not refused"


@pytest.mark.parametrize("torn", ["", "0a1b", "\0" * 32, "a/b"])
def test_what_a_full_disk_left_of_an_id_is_replaced(settings: Settings, torn: str) -> None:
    where(settings)
    (settings.log.folder / AGENT_ID).write_text(torn)
    again = where(settings).agent
    assert len(again) == 32
    assert where(settings).agent == again
