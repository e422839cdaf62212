"""The programs of this checkout, compiled and loaded once: the verifier takes seconds."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sensor.loader import Sensor
from tests.sensor_python.kernel import Bench

ROOT = Path(__file__).parents[2]


NS_GET_MNTNS_ID = 0x8008B705


def host_mount_namespace() -> int:
    """For as long as no iterator finds it."""
    number = bytearray(8)
    with Path("/proc/self/ns/mnt").open() as space:
        fcntl.ioctl(space, NS_GET_MNTNS_ID, number)
    return int.from_bytes(number, "little")


def compiled(folder: Path, source: Path = ROOT / "agent/sensor/bpf/sensor.bpf.c") -> Path:
    target = folder / f"{source.stem}.o"
    flags = ["-target", "bpf", "-D__TARGET_ARCH_x86", "-O2", "-g", "-I", str(ROOT / "agent/sensor/bpf")]
    subprocess.run(["clang", *flags, "-c", str(source), "-o", str(target)], check=True, stderr=sys.stderr)
    return target


@pytest.fixture(scope="session")
def sensor_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bpf"))


@pytest.fixture(scope="session")
def sensor(sensor_object: Path) -> Iterator[Sensor]:
    opened = Sensor.open(sensor_object)
    opened.take_stock()
    opened._object.set_variable("host_mount_namespace", host_mount_namespace())
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def bench(sensor: Sensor) -> Iterator[Bench]:
    made = Bench(sensor)
    yield made
    made.close()
