"""What io_uring changes and opens is seen whatever the ring is like."""

import shutil
import subprocess
from pathlib import Path

import pytest

from model.event import Access, Flag, Layer, Open, Operation
from tests.sensor_change.watched import Watched, proven, said


@pytest.fixture(scope="module")
def ring(box: Watched, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program ring.c, inside the box."""
    built = tmp_path_factory.mktemp("ring") / "ring"
    source = Path(__file__).with_name("ring.c")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", built, source], check=True)
    shutil.copy(built, box.box.path("/usr/bin/ring"))
    return "/usr/bin/ring"


@pytest.mark.parametrize("place", ["/opt", "/vol"])
@pytest.mark.parametrize("way", ["plain", "deferred", "polled", "other-credentials", "full", "full-deferred"])
def test_a_file_removed_by_a_ring_is_seen(box: Watched, ring: str, way: str, place: str) -> None:
    (change,) = box.shell(f"echo x >{place}/{way}; {ring} {way} {place}/{way}")
    assert said([change]) == [(Operation.UNLINK, f"{place}/{way}", None)]
    assert proven(change)
    assert change.file.flags == Flag.URING


def test_a_ring_that_is_silent_about_success_is_told_by_its_own_words(box: Watched, ring: str) -> None:
    changes = box.shell(f"for f in a b a; do echo x >/opt/$f; {ring} silent /opt/$f; done")
    assert said(changes) == [(Operation.UNLINK, "/opt/a", None), (Operation.UNLINK, "/opt/b", None)]
    assert {it.file.flags for it in changes} == {Flag.URING | Flag.CLAIMED}
    assert [box.count(it) for it in changes] == [2, 1]


def opens_of(box: Watched, script: str, path: str) -> list[Open]:
    """What a script opened by this name."""
    box.kernel.events()
    box.runs("sh", "-c", script)
    return [it for it in box.saw(Open) if it.file.path == path]


@pytest.mark.parametrize("way", ["plain", "deferred", "polled", "other-credentials", "full", "full-deferred"])
def test_a_file_opened_by_a_ring_is_seen(box: Watched, ring: str, way: str) -> None:
    opens = opens_of(box, f"echo x >/opt/o-{way}; {ring} {way} /opt/o-{way} open", f"/opt/o-{way}")
    assert [it.file.flags for it in opens if it.file.flags & Flag.URING] == [Flag.URING]


def test_an_open_that_is_silent_about_success_is_told_by_its_own_words(box: Watched, ring: str) -> None:
    (seen,) = opens_of(box, f"{ring} silent /etc/hostname open", "/etc/hostname")
    assert seen.file.flags == Flag.URING | Flag.CLAIMED
    assert seen.file.layer is Layer.NEW_MOUNT
    assert seen.access is Access.READ
