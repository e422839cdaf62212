"""Kernels before 6.13 stamp unseen: then a change is told by the strings that the program passed, and says so."""

import platform
from collections.abc import Iterator

import pytest

from agent.sensor import layout
from agent.sensor.loader import Sensor
from agent.sensor.prepare import Settings
from compile_bpf import compile_for
from model.event import Flag, Layer, Operation
from tests.containers.runc import Box
from tests.containers.workshop import Workshop
from tests.sensor_change.watched import Kernel, Watched, said

OP = Operation
STAMPS = frozenset({"on_stamp", "on_stamp_swapped", "on_stamp_kept"})


@pytest.fixture(scope="module")
def blind(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A box under a sensor that sees no stamps."""
    path = compile_for(platform.machine(), folder=tmp_path_factory.mktemp("bpf"))
    sensor = Sensor.open(path, Settings(without=STAMPS))
    kernel = Kernel(sensor)
    sensor.take_stock()
    with Box(workshop) as box:
        kernel.flows.decide(box.cgroup_id, layout.CONTAINER_YES)
        yield Watched(kernel, box)
    kernel.close()
    sensor.close()


def test_what_is_unseen_without_the_stamps_is_said(blind: Watched) -> None:
    missing = {hook.program: hook.costs for hook in blind.kernel.sensor.missing()}
    assert set(missing) >= STAMPS
    assert "the string that the program passed" in missing["on_stamp"]


def test_changes_are_told_as_claims(blind: Watched) -> None:
    changes = blind.shell(
        "cd /opt; echo x >a; mv a b; ln b c; ln -s b d; mkdir e; rmdir e; chmod 700 b; chown 7 b; mknod p p; rm b;"
        " mv c ./c; cd /; mv /opt/c /opt/f"
    )
    assert said(changes) == [
        (OP.RENAME, "a", "b"),
        (OP.LINK, "b", "c"),
        (OP.SYMLINK, "d", None),
        (OP.MKDIR, "e", None),
        (OP.RMDIR, "e", None),
        (OP.CHMOD, "b", None),
        (OP.CHOWN, "b", None),
        (OP.MKNOD, "p", None),
        (OP.UNLINK, "b", None),
        (OP.RENAME, "c", "./c"),
        (OP.RENAME, "/opt/c", "/opt/f"),
    ]
    assert {(it.file.layer, it.file.flags) for it in changes} == {(Layer.NEW_MOUNT, Flag.CLAIMED)}


def test_claims_are_counted_too(blind: Watched) -> None:
    (made, *_) = blind.shell("i=0; while [ $i -lt 100 ]; do mkdir /opt/x; rmdir /opt/x; i=$((i+1)); done")
    assert blind.count(made) == 100
