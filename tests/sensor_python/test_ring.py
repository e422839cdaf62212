"""The reader against a real ring buffer, filled by a BPF program."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

from agent.sensor.libbpf import Libbpf
from agent.sensor.ring import Ring, Rings
from agent.sensor.source import Channel

SIZE = 4096


class Producer:
    """A loaded program that puts records on the ring."""

    def __init__(self, library: Libbpf, path: Path) -> None:
        self.library = library
        self.object = library.bpf_object__open(str(path).encode())
        library.bpf_object__load(self.object)
        self.program = library.bpf_program__fd(next(library.programs(self.object)))
        self.ring = library.bpf_map__fd(next(library.maps(self.object)))

    def put(self, value: int, length: int = 13, discard: int = 0) -> bool:
        """False: the ring is full."""
        return self.library.run(self.program, pack("<4I", length, value, discard, 0))[0] == 0


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bpf") / "producer.o"
    source = Path(__file__).with_name("producer.bpf.c")
    include = "/usr/include/x86_64-linux-gnu"
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", "-I", include, "-c", source, "-o", path], check=True)
    return path


@pytest.fixture
def producer(compiled: Path) -> Iterator[Producer]:
    library = Libbpf()
    made = Producer(library, compiled)
    yield made
    library.bpf_object__close(made.object)


@pytest.fixture(params=["x86_64", "aarch64"])
def ring(producer: Producer, request: pytest.FixtureRequest) -> Iterator[Ring]:
    made = Ring(producer.ring, SIZE, request.param)
    yield made
    made.close()


def test_records_come_out_as_they_went_in(producer: Producer, ring: Ring) -> None:
    assert producer.put(1)
    assert producer.put(2)
    assert ring.drain() == [b"\1" * 13, b"\2" * 13]
    assert ring.drain() == []


def test_discarded_records_are_passed_over(producer: Producer, ring: Ring) -> None:
    for value, discard in ((1, 1), (2, 0), (3, 1)):
        producer.put(value, discard=discard)
    assert [record[0] for record in ring.drain()] == [2]
    assert ring.fill() == 0


def test_a_limit_leaves_the_rest_on_the_ring(producer: Producer, ring: Ring) -> None:
    for value in range(5):
        producer.put(value)
    assert [record[0] for record in ring.drain(limit=2)] == [0, 1]
    assert ring.fill() == 3 * 24
    assert [record[0] for record in ring.drain()] == [2, 3, 4]


def test_a_record_that_wraps_is_in_one_piece(producer: Producer, ring: Ring) -> None:
    for value in range(500):
        assert producer.put(value & 255, length=64)
        (record,) = ring.drain()
        assert (record[:13], len(record)) == (bytes([value & 255]) * 13, 64)


def test_a_full_ring_refuses_and_has_room_after_reading(producer: Producer, ring: Ring) -> None:
    sent = 0
    while producer.put(sent & 255):
        sent += 1
    assert SIZE - 24 < ring.fill() <= SIZE
    assert len(ring.drain()) == sent
    assert producer.put(1)


def test_polling_wakes_for_a_record_and_shows_it_to_the_tap(producer: Producer) -> None:
    taken: list[tuple[int, list[bytes]]] = []
    rings = Rings({Channel.URGENT: Ring(producer.ring, SIZE)}, tap=lambda channel, records: taken.append((channel, records)))
    assert rings.poll(0) == []
    producer.put(9)
    assert rings.fill() == {"urgent": 24 / SIZE}
    assert rings.poll(5) == [b"\x09" * 13]
    assert taken == [(Channel.URGENT, [b"\x09" * 13])]
    rings.close()


def test_a_missing_library_names_the_package_to_install() -> None:
    with pytest.raises(OSError, match="apt install libbpf1"):
        Libbpf("libnosuchbpf.so.1")


def test_a_failed_load_shows_what_the_verifier_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.o"
    text = 'char L[] __attribute__((section("license"))) = "GPL";'
    text += '__attribute__((section("syscall"), used)) int wild(long *context) { return *(int *)*context; }'
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", "-x", "c", "-", "-c", "-o", path], input=text.encode(), check=True)
    library = Libbpf()
    loaded = library.bpf_object__open(str(path).encode())
    with pytest.raises(OSError, match="bpf_object__load"):
        library.bpf_object__load(loaded)
    assert "invalid mem access" in library.log_tail()
    library.bpf_object__close(loaded)
