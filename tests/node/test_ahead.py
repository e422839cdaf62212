"""An image's programs are hashed before anybody executes them, by the key that the kernel will ask for, and cheaply."""

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.node.ahead import TRIES, Ahead, Budget
from agent.node.files import layers
from agent.node.hashes import Hashes
from agent.node.worker import Job, Worker
from model.event import File, Flag, Layer

GETVERSION = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1
OVERLAY = 0 << 20 | 52
PATIENCE_S = 20.0


class Image:
    """Two layers on the host, an overlay of them in the mount table of process 7, and an Ahead over it."""

    def __init__(self, folder: Path, worker: Worker) -> None:
        self.folder, self.worker = folder, worker
        self.now_s = 0.0
        self.upper, self.lower = folder / "upper", folder / "lo,wer"
        for layer in (self.upper, self.lower):
            (layer / "usr/bin").mkdir(parents=True)
        self.runs(7)
        self.hashes = Hashes(worker)
        self.ahead = self.over(Budget(512, 1 << 20, 60))

    def over(self, budget: Budget) -> Ahead:
        return Ahead(self.worker, self.hashes, budget, lambda: self.now_s, str(self.folder / "proc"))

    def runs(self, pid: int) -> None:
        """A process that has the image's root."""
        place = self.folder / f"proc/{pid}"
        place.mkdir(parents=True)
        lower = str(self.lower).replace(",", "\\054")
        (place / "mountinfo").write_text(
            "30 1 8:1 / / rw - ext4 /dev/sda rw\n"
            f"36 35 0:52 / / rw,relatime - overlay overlay rw,lowerdir={self.upper}:{lower},upperdir=/u,workdir=/w\n"
        )

    def works(self) -> list[str]:
        """Until all is done, as the loop does it; what the worker was asked for."""
        asked: list[str] = []
        until = time.monotonic() + PATIENCE_S
        while self.ahead.busy or self.worker.busy:
            assert time.monotonic() < until
            for result in self.worker.results():
                assert self.ahead.take(result)
                asked.append(result.key.do)
            self.ahead.step()
            time.sleep(0.001)
        return asked


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    worker = Worker(time.monotonic)
    yield Image(tmp_path, worker)
    worker.close()


def program(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def as_the_kernel_says(path: Path, layer: Layer = Layer.IMAGE) -> File:
    """What an exec of it reports: the identity of the real inode."""
    fd = os.open(path, os.O_RDONLY)
    try:
        found, generation = os.fstat(fd), struct.unpack_from("=I", fcntl.ioctl(fd, GETVERSION, bytes(8)))[0]
    except OSError:
        pytest.skip("the filesystem of this folder tells no generation")
    finally:
        os.close(fd)
    real = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
    return File(f"/usr/bin/{path.name}", layer, Flag(0), OVERLAY, found.st_ino, real, generation, found.st_ctime_ns)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_program_of_any_layer_has_its_hash_without_being_read_for_it(image: Image) -> None:
    one, two = program(image.upper / "usr/bin/one", "one"), program(image.lower / "usr/bin/two", "two")
    image.ahead.begin(1, OVERLAY, 7)
    image.works()
    assert [image.hashes.first_use(as_the_kernel_says(path)) for path in (one, two)] == [sha256("one"), sha256("two")]
    assert (image.hashes.read, image.hashes.foreseen) == (0, 2)
    assert image.hashes.of(as_the_kernel_says(one)) == sha256("one")
    assert image.hashes.first_use(as_the_kernel_says(one)) == "", "it is told once"
    assert not image.hashes.want(as_the_kernel_says(one), 7)


def test_a_file_that_was_changed_or_replaced_has_no_hash_made_ahead(image: Image) -> None:
    changed, replaced = program(image.lower / "usr/bin/changed", "1"), program(image.lower / "usr/bin/replaced", "2")
    image.ahead.begin(1, OVERLAY, 7)
    image.works()
    time.sleep(0.02)  # the kernel's clock of files ticks
    changed.write_text("9")
    program(image.folder / "new", "9").replace(replaced)
    assert [image.hashes.first_use(as_the_kernel_says(path)) for path in (changed, replaced)] == ["", ""]


def test_what_is_no_program_or_is_hidden_or_lies_elsewhere_is_not_read(image: Image) -> None:
    folder = image.lower / "usr/bin"
    program(folder / "data", "data", 0o644)
    os.mkfifo(folder / "fifo", 0o755)
    (folder / "link").symlink_to("/bin/sh")
    (image.lower / "bin").symlink_to("/usr/bin")
    program(folder / "hidden", "below")
    program(image.upper / "usr/bin/hidden", "above")
    (folder / "again").hardlink_to(program(folder / "once", "once"))
    hole = program(folder / "attributes", "")
    os.truncate(hole, 1 << 16)
    image.ahead.begin(1, OVERLAY, 7)
    asked = image.works()
    assert (asked.count("identified"), image.ahead.read) == (3, 2), "above, once, and the hole, in which it stops"
    assert image.worker.kills == 0


@pytest.mark.parametrize(
    ("budget", "read"),
    [(Budget(2, 1 << 20, 60), 2), (Budget(9, 250, 60), 2), (Budget(9, 99, 60), 0), (Budget(0, 1 << 20, 60), 0)],
)
def test_no_more_of_an_image_is_read_than_its_budget_allows(image: Image, budget: Budget, read: int) -> None:
    for number in range(5):
        program(image.lower / f"usr/bin/p{number}", "x" * 100)
    image.ahead = image.over(budget)
    image.ahead.begin(1, OVERLAY, 7)
    image.works()
    assert image.ahead.read == read


def test_when_its_time_is_over_the_rest_of_an_image_is_left_alone(image: Image) -> None:
    program(image.lower / "usr/bin/one", "one")
    image.ahead.begin(1, OVERLAY, 7)
    image.ahead.step()
    image.now_s = 61
    assert image.works() == ["layers"]


def test_a_layer_is_walked_once_whoever_has_it(image: Image) -> None:
    image.ahead.begin(1, OVERLAY, 7)
    assert len(image.works()) > 1
    image.runs(8)
    image.ahead.begin(2, OVERLAY, 8)
    assert image.works() == ["layers"]
    image.ahead.begin(2, OVERLAY, 8)
    assert not image.ahead.busy


def test_others_come_first(image: Image) -> None:
    place = image.folder / "proc/9"
    place.mkdir()
    (place / "cmdline").write_text("web")
    image.ahead.begin(1, OVERLAY, 7)
    image.worker.submit(Job("urgent", {"do": "cmdline", "proc": str(place.parent), "pid": 9}))
    image.ahead.step()
    until = time.monotonic() + PATIENCE_S
    while not (results := image.worker.results()):
        assert time.monotonic() < until
    assert [result.key for result in results] == ["urgent"]
    assert not image.worker.busy, "nothing had been put behind it"
    assert image.works()


def test_a_container_that_ended_meanwhile_is_no_error_and_soon_left_alone(image: Image) -> None:
    for pid in range(100, 110):
        image.ahead.begin(1, OVERLAY, pid)
        assert set(image.works()) <= {"layers"}
    assert image.ahead.read == 0
    image.ahead.begin(1, OVERLAY, 7)
    assert not image.ahead.busy, f"it was tried {TRIES} times"


def test_the_lower_folders_are_those_of_the_overlay_with_that_device() -> None:
    table = (
        b"20 1 0:51 / / rw - overlay other rw,lowerdir=/other\n"
        b"21 1 0:52 / /a\\040b rw shared:1 - overlay overlay rw,lowerdir=/one\\072x:/two\\054y:l/RELATIVE,upperdir=/u\n"
        b"22 1 0:53 / / rw - overlay overlay rw,lowerdir=/top::/bytes-alone\n"
        b"cut 1 0:54"
    )
    assert layers(table, "0:52") == ["/one:x", "/two,y"]
    assert layers(table, "0:53") == [], "what is in /top may have its bytes in the other one"
    with pytest.raises(FileNotFoundError):
        layers(table, "0:54")
