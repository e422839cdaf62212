"""What the composition root keeps on disk."""

from pathlib import Path

import pytest

from agent.app import AGENT_ID, where
from agent.settings import Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(None, overrides={"log.folder": tmp_path / "log"})


def test_the_agent_keeps_its_id(settings: Settings) -> None:
    first = where(settings).agent
    assert len(first) == 32
    assert where(settings).agent == first


@pytest.mark.parametrize("torn", ["", "0a1b", "\0" * 32, "a/b"])
def test_what_a_full_disk_left_of_an_id_is_replaced(settings: Settings, torn: str) -> None:
    where(settings)
    (settings.log.folder / AGENT_ID).write_text(torn)
    again = where(settings).agent
    assert len(again) == 32
    assert where(settings).agent == again
