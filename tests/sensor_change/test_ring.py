"""What io_uring changes is seen whatever the ring is like."""

import shutil
import subprocess
from pathlib import Path

import pytest

from model.event import Flag, Operation
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
@pytest.mark.parametrize("way", ["plain", "deferred", "polled", "other-credentials"])
def test_a_file_removed_by_a_ring_is_seen(box: Watched, ring: str, way: str, place: str) -> None:
    (change,) = box.shell(f"echo x >{place}/{way}; {ring} {way} {place}/{way}")
    assert said([change]) == [(Operation.UNLINK, f"{place}/{way}", None)]
    assert proven(change)
    assert change.file.flags == Flag.URING


def test_a_ring_that_is_silent_about_success_is_told_by_its_own_words(box: Watched, ring: str) -> None:
    (change,) = box.shell(f"echo x >/opt/s; {ring} silent /opt/s")
    assert said([change]) == [(Operation.UNLINK, "/opt/s", None)]
    assert change.file.flags == Flag.URING | Flag.CLAIMED
