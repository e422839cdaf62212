"""A sensor for the package, a container for each module."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.loader import Sensor
from compile_bpf import compile_for
from tests.containers.runc import Box
from tests.containers.spec import MIGHTY_CAPABILITIES, Mount, Recipe
from tests.containers.workshop import Workshop
from tests.sensor_change.watched import Kernel, Watched


@pytest.fixture(scope="package")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    sensor = Sensor.open(compile_for(platform.machine(), folder=tmp_path_factory.mktemp("bpf")))
    sensor.take_stock()
    made = Kernel(sensor)
    yield made
    made.close()
    sensor.close()


@pytest.fixture(scope="module")
def volume(workshop: Workshop, request: pytest.FixtureRequest) -> Path:
    """A folder of the host, on the filesystem that also holds the container's upper layer."""
    folder = workshop.folder / f"volume-{request.module.__name__}"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def box(workshop: Workshop, kernel: Kernel, volume: Path) -> Iterator[Watched]:
    recipe = Recipe(capabilities=MIGHTY_CAPABILITIES, mounts=(Mount(str(volume), "/vol"),))
    with Box(workshop, recipe) as started:
        kernel.flows.decide(started.cgroup_id, layout.CONTAINER_YES)
        kernel.events()
        yield Watched(kernel, started)
        kernel.flows.end(started.cgroup_id)
