"""A file of a container may hang or kill the worker, never the loop."""

import hashlib
import os
import selectors
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.node.files import CMDLINE
from agent.node.hashes import Hashes, id_of
from agent.node.worker import Job, Result, Worker
from model.event import File, Flag, Layer

PATIENCE_S = 20.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(time.monotonic)
    yield made
    made.close()


def wait(worker: Worker, count: int = 1) -> list[Result]:
    """As the loop does it: wait for the descriptor or the next deadline, then ask."""
    results: list[Result] = []
    until = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        selector.register(worker.fileno(), selectors.EVENT_READ)
        while len(results) < count:
            assert time.monotonic() < until, results
            selector.select(0.05)
            results += worker.results()
    return results


def identity(path: Path) -> tuple[list[int], int, int]:
    found = path.stat()
    return [found.st_dev], found.st_ino, found.st_ctime_ns


def to_hash(place: Path, path: str, of: Path | None = None) -> dict[str, object]:
    devices, inode, ctime_ns = identity(of or place / path.lstrip("/"))
    places = [(str(place), path)]
    return {"do": "sha256", "places": places, "devices": devices, "inode": inode, "ctime_ns": ctime_ns, "limit": 1 << 20}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "usr/bin/web"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"program" * 1000)
    return path


def test_a_programs_hash_is_that_of_its_bytes(worker: Worker, tmp_path: Path, program: Path) -> None:
    assert worker.submit(Job("it", to_hash(tmp_path, "/usr/bin/web")))
    assert wait(worker) == [Result("it", hashlib.sha256(program.read_bytes()).hexdigest().encode())]


def test_many_jobs_are_answered_in_order_by_one_process(worker: Worker, tmp_path: Path, program: Path) -> None:
    assert program.exists()
    for number in range(100):
        worker.submit(Job(number, to_hash(tmp_path, "/usr/bin/web")))
    pid = worker.pid
    assert [result.key for result in wait(worker, 100)] == list(range(100))
    assert (worker.pid, worker.kills, worker.busy) == (pid, 0, False)


@pytest.mark.parametrize("change", [{"inode": 1}, {"ctime_ns": 1}, {"devices": [1]}, {"limit": 100}, {"do": "format"}])
def test_another_file_than_the_kernels_has_no_hash(
    worker: Worker, tmp_path: Path, program: Path, change: dict[str, object]
) -> None:
    assert program.exists()
    worker.submit(Job("it", {**to_hash(tmp_path, "/usr/bin/web"), **change}))
    (result,) = wait(worker)
    assert result.content is None
    assert result.error


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _linked_folder(path: Path, outside: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(outside.parent)


def _upwards(_path: Path, _outside: Path) -> None:
    return


@pytest.mark.parametrize(
    ("lay", "asked"),
    [(_link, "/bin/web"), (_linked_folder, "/bin/web"), (_upwards, "/../outside/web")],
    ids=["link", "folder", "up"],
)
def test_no_link_leads_out_of_the_container(
    worker: Worker, tmp_path: Path, lay: Callable[[Path, Path], None], asked: str
) -> None:
    outside = tmp_path / "outside/web"
    outside.parent.mkdir()
    outside.write_text("the host's")
    inside = tmp_path / "root/bin/web"
    inside.parent.mkdir(parents=True)
    lay(inside, outside)
    worker.submit(Job("it", to_hash(tmp_path / "root", asked, outside)))
    assert wait(worker)[0].content is None


def test_a_fifo_is_told_from_a_file_without_opening_it(worker: Worker, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    worker.submit(Job("it", to_hash(tmp_path, "/fifo")))
    assert wait(worker)[0].error == "NotThatFileError: not a plain file"
    assert worker.kills == 0


def test_a_read_that_never_ends_costs_the_worker_its_life_and_nothing_else(worker: Worker, tmp_path: Path, program: Path) -> None:
    assert program.exists()
    (tmp_path / "7").mkdir()
    os.mkfifo(tmp_path / "7/cmdline")
    began = time.monotonic()
    worker.submit(Job("hangs", {"do": "cmdline", "proc": str(tmp_path), "pid": 7}, deadline_s=1))
    worker.submit(Job("after", to_hash(tmp_path, "/usr/bin/web")))
    assert time.monotonic() - began < 0.5, "submitting waits for nothing"
    first = worker.pid
    hung, after = wait(worker, 2)
    assert (hung.key, hung.content, hung.error) == ("hangs", None, "took too long")
    assert after.content is not None
    assert worker.kills == 1
    assert worker.pid != first


def test_a_worker_that_is_killed_is_replaced(worker: Worker, tmp_path: Path, program: Path) -> None:
    assert program.exists()
    (tmp_path / "7").mkdir()
    os.mkfifo(tmp_path / "7/cmdline")
    worker.submit(Job("lost", {"do": "cmdline", "proc": str(tmp_path), "pid": 7}))
    worker.submit(Job("after", to_hash(tmp_path, "/usr/bin/web")))
    os.kill(worker.pid, 9)
    lost, after = wait(worker, 2)
    assert (lost.key, lost.content) == ("lost", None)
    assert after.content is not None


def test_a_worker_with_nothing_to_do_gives_its_memory_back_and_starts_again(tmp_path: Path, program: Path) -> None:
    assert program.exists()
    ahead_s = 0.0
    worker = Worker(lambda: time.monotonic() + ahead_s)
    try:
        worker.submit(Job("first", to_hash(tmp_path, "/usr/bin/web")))
        worker.rest()
        assert wait(worker)[0].key == "first"
        worker.rest()
        assert worker.pid
        ahead_s = 60
        worker.rest()
        assert (worker.pid, worker.kills) == (0, 0)
        worker.submit(Job("second", to_hash(tmp_path, "/usr/bin/web")))
        assert wait(worker)[0].key == "second"
    finally:
        worker.close()


def test_the_queue_is_bounded_and_says_what_it_refused(tmp_path: Path) -> None:
    worker = Worker(time.monotonic, limit=2)
    try:
        os.mkfifo(tmp_path / "cmdline")
        job = Job("x", {"do": "cmdline", "proc": str(tmp_path), "pid": "."})
        assert [worker.submit(job) for _ in range(4)] == [True, True, True, False]
        assert worker.refused == 1
    finally:
        worker.close()


def test_a_processes_arguments_are_read_up_to_a_limit(worker: Worker) -> None:
    worker.submit(Job("it", {"do": "cmdline", "proc": "/proc", "pid": os.getpid()}))
    (result,) = wait(worker)
    with open(f"/proc/{os.getpid()}/cmdline", "rb") as file:  # noqa: PTH123
        assert result.content == file.read()[:CMDLINE]


def test_the_largest_answer_passes(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_bytes(b"\xff" * (200 << 10))
    worker.submit(Job("it", {"do": "mountinfo", "proc": str(tmp_path), "pid": "."}))
    assert wait(worker)[0].content == b"\xff" * (128 << 10)


def test_a_hash_is_asked_for_once_per_file(worker: Worker, tmp_path: Path, program: Path) -> None:
    hashes = Hashes(worker, proc=str(tmp_path / "proc"))
    file = _file(program)
    assert hashes.want(file, 7, str(tmp_path))
    assert not hashes.want(file, 8, str(tmp_path))
    assert hashes.of(file) == ""
    assert hashes.take(wait(worker)[0])
    assert hashes.of(file) == hashlib.sha256(program.read_bytes()).hexdigest()
    assert not hashes.want(file, 9, str(tmp_path))


def test_a_file_that_is_asked_for_and_hashed_ahead_at_once_is_told_once(worker: Worker, tmp_path: Path, program: Path) -> None:
    hashes = Hashes(worker, proc=str(tmp_path / "proc"))
    file, digest = _file(program), hashlib.sha256(program.read_bytes()).hexdigest()
    assert hashes.want(file, 7, str(tmp_path))
    hashes.foresee(id_of(file), digest)
    assert hashes.first_use(file) == "", "the worker's answer will tell it"
    assert hashes.take(wait(worker)[0])
    assert hashes.of(file) == digest
    assert (hashes.first_use(file), hashes.foreseen) == ("", 0)


def test_the_running_program_itself_is_looked_at_first(worker: Worker) -> None:
    program = Path(f"/proc/{os.getpid()}/exe").resolve()
    hashes = Hashes(worker)
    file = _file(program, "/no/longer/there")
    assert hashes.want(file, os.getpid(), is_program=True)
    hashes.take(wait(worker)[0])
    assert hashes.of(file) == hashlib.sha256(program.read_bytes()).hexdigest()


def test_a_file_that_cannot_be_hashed_is_not_asked_for_again(worker: Worker, tmp_path: Path, program: Path) -> None:
    hashes = Hashes(worker)
    file = _file(program)
    program.unlink()
    assert hashes.want(file, 0, str(tmp_path))
    hashes.take(wait(worker)[0])
    assert hashes.failed == 1
    assert not hashes.want(file, 0, str(tmp_path))


def test_the_hashes_are_bounded(worker: Worker, tmp_path: Path) -> None:
    hashes = Hashes(worker, limit=3)
    for number in range(6):
        path = tmp_path / f"p{number}"
        path.write_text(str(number))
        hashes.want(_file(path, f"/p{number}"), 0, str(tmp_path))
    for result in wait(worker, 6):
        hashes.take(result)
    assert len(hashes._known) == 3


def _file(path: Path, inside: str = "/usr/bin/web") -> File:
    found = path.stat()
    device = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
    return File(inside, Layer.IMAGE, Flag(0), device, found.st_ino, device, 0, found.st_ctime_ns)
