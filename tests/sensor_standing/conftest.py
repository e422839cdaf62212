"""Containers that run before the sensor does. Loading takes seconds: the module's tests look at one stock-taking."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.loader import Sensor
from compile_bpf import compile_for
from model.event import Event
from tests.containers.runc import Box
from tests.containers.spec import NAMESPACES, Recipe
from tests.containers.workshop import Workshop
from tests.sensor_change.watched import Kernel, Watched
from tests.sensor_python.kernel import wait

LINGER, CODE = "/opt/linger", "/opt/code.so"
CROWD = 200


@dataclass
class Linger:
    """The process of linger.c, entered by `runc exec` before the sensor was loaded."""

    running: "subprocess.Popen[bytes]"

    def reads(self) -> str:
        assert self.running.stdout
        return self.running.stdout.readline().decode().strip()

    def told(self, order: str) -> None:
        assert self.running.stdin
        self.running.stdin.write(f"{order}\n".encode())
        self.running.stdin.flush()

    def end(self) -> None:
        self.running.communicate(timeout=20)


@dataclass
class Stock:
    """What one stock-taking found."""

    kernel: Kernel
    box: Watched
    shared: Watched  # without a pid namespace of its own
    host: Watched  # one that Python called the host's
    crowd: Watched  # with more processes than the kernel tells in one read
    linger: Linger
    events: list[Event]
    again: list[Event]  # by a second stock-taking


@pytest.fixture(scope="module")
def linger_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("linger") / "linger"
    source = Path(__file__).with_name("linger.c")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread"]
    subprocess.run(["gcc", *flags, "-o", built, source], check=True)
    return built


@pytest.fixture(scope="module")
def boxes(workshop: Workshop, linger_program: Path) -> Iterator[list[Box]]:
    with ExitStack() as stack:
        without_pids = Recipe(namespaces=tuple(it for it in NAMESPACES if it != "pid"))
        crowd = Recipe(args=("sh", "-c", f"for i in $(seq {CROWD}); do sleep 100000 & done; wait"))
        made = [stack.enter_context(Box(workshop, recipe)) for recipe in (Recipe(), without_pids, Recipe(), crowd)]
        wait(lambda: len(made[3].processes()) == CROWD + 1, "the crowd is there")
        for target in (LINGER, CODE):
            shutil.copy(linger_program, made[0].path(target))
        yield made


@pytest.fixture(scope="module")
def linger(boxes: list[Box]) -> Iterator[Linger]:
    started = Linger(boxes[0].popen(LINGER, CODE))
    assert started.reads() == "ready"
    yield started
    started.end()


@pytest.fixture(scope="module")
def stock(boxes: list[Box], linger: Linger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    sensor = Sensor.open(compile_for(platform.machine(), folder=tmp_path_factory.mktemp("bpf")))
    kernel = Kernel(sensor)
    states = (layout.CONTAINER_YES, layout.CONTAINER_YES, layout.CONTAINER_HOST, layout.CONTAINER_YES)
    for box, state in zip(boxes, states, strict=True):
        kernel.flows.decide(box.cgroup_id, state)
    own, shared, host, crowd = (Watched(kernel, box) for box in boxes)
    yield Stock(kernel, own, shared, host, crowd, linger, taken(kernel), taken(kernel))
    kernel.close()
    sensor.close()


def taken(kernel: Kernel) -> list[Event]:
    """The events of one stock-taking, in the order in which an agent gets them."""
    events: list[Event] = []

    def take(raws: list[bytes]) -> None:
        events.extend(kernel.events())
        events.extend(kernel.read(raws))

    kernel.sensor.take_stock(take)
    return events
