"""Programs of an image have their hash before anybody executes them; what was put in their place has its own."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.outputs.stamp import boot_ns
from model.event import Exec, Layer, Program
from tests.agent.conftest import MakeNamedBox, StartAgent
from tests.agent.daemon import Daemon
from tests.agent.sight import Book, Sight
from tests.containers.runc import Box
from tests.containers.workshop import Workshop
from tests.failures.ledger import wait


class Ahead(NamedTuple):
    """An agent of the test's own that has read all programs of the box's image, and what it writes from then on."""

    own: Daemon
    agent: Sight
    box: Box


@pytest.fixture
def ahead(agent_of_its_own: StartAgent, a_box: MakeNamedBox, workshop: Workshop) -> Ahead:
    own = agent_of_its_own()
    agent, box = Sight(Book(own.log), boot_ns()), a_box("plain")
    wait(lambda: counts(own)["read_ahead"] >= len(programs_of(workshop.image)), "all of the image's programs are read")
    return Ahead(own, agent, box)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def counts(agent: Daemon) -> dict[str, int]:
    found: dict[str, int] = agent.status()["hashes"]
    return found


def programs_of(image: Path) -> list[str]:
    """Plain files of its usual program folders that may be executed."""
    found = (path for folder in ("bin", "usr/bin") for path in (image / folder).iterdir())
    return [path.name for path in found if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111]


def test_a_program_of_the_image_has_its_hash_at_its_first_exec_and_nobody_reads_it_then(ahead: Ahead, workshop: Workshop) -> None:
    own, agent, box = ahead.own, ahead.agent, ahead.box
    before = counts(own)
    box.exec("/usr/bin/quiet")
    told = agent.sees(box, Program, path="/usr/bin/quiet")
    assert program_of(told).sha256 == sha256(workshop.image / "usr/bin/quiet")
    wait(lambda: counts(own)["foreseen"] == before["foreseen"] + 1, "it was known")
    assert counts(own)["read"] == before["read"]


def test_a_program_that_was_put_in_the_place_of_the_images_has_its_own_hash(ahead: Ahead, workshop: Workshop) -> None:
    own, agent, box = ahead.own, ahead.agent, ahead.box
    for put in ("cp /usr/bin/bulk /usr/bin/new && mv /usr/bin/new /usr/bin/quiet", "cat /usr/bin/bulk > /usr/bin/raised"):
        box.exec("sh", "-c", put)
    known = counts(own)["foreseen"]
    for name in ("quiet", "raised"):
        box.exec(f"/usr/bin/{name}", "null", "1")
        agent.sees(box, Exec, path=f"/usr/bin/{name}", layer=Layer.WRITABLE)
    replaced, rewritten = (program_of(agent.sees(box, Program, path=f"/usr/bin/{name}")) for name in ("quiet", "raised"))
    assert replaced.sha256 == sha256(workshop.image / "usr/bin/bulk")
    assert rewritten.sha256 == "", "overlay shows it under the image's inode still: it can't be told to be the one that ran"
    assert counts(own)["foreseen"] == known


def program_of(record: Any) -> Program:
    assert isinstance(record.event, Program)
    return record.event
