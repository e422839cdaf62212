"""The network's programs in the kernel, and cgroups that are taken for containers."""

import fcntl
import os
import platform
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.sensor.loader import Sensor
from compile_bpf import compile_for
from tests.containers.network import Namespace
from tests.sensor_net.peers import Peers
from tests.sensor_python.kernel import Bench

_NS_GET_MNTNS_ID = 0x8008B705


def _host_mount_namespace() -> int:
    with Path("/proc/self/ns/mnt").open("rb") as namespace:
        number = bytearray(8)
        fcntl.ioctl(namespace, _NS_GET_MNTNS_ID, number)
    return int(struct.unpack("<Q", number)[0])


@pytest.fixture(scope="package")
def sensor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sensor]:
    opened = Sensor.open(compile_for(platform.machine(), folder=tmp_path_factory.mktemp("bpf")))
    opened.take_stock()
    # These boxes keep the host's mounts: none of their programs is a handover.
    opened._object.set_variable("host_mount_namespace", _host_mount_namespace())
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def bench(sensor: Sensor) -> Iterator[Bench]:
    made = Bench(sensor)
    yield made
    made.close()


@pytest.fixture
def box(bench: Bench) -> Iterator[Peers]:
    with bench.container() as made:
        yield Peers(made)


@pytest.fixture
def make_box(bench: Bench) -> Iterator[Callable[[], Peers]]:
    with ExitStack() as stack:
        yield lambda: Peers(stack.enter_context(bench.container()))


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made


@pytest.fixture(scope="session")
def attack(programs: Path) -> str:
    return os.fspath(programs / "attack")
