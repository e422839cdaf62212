"""The account of the running agent, on a disk that may hang."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.status import FILE, StatusFile, is_running, read_status, write_status
from tests.outputs.builders import eventually


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Path]:
    """A folder on which the next write hangs: until somebody opens the pipe that is in its way, at the latest at the end."""
    pipe = tmp_path / f"{FILE}.part"
    os.mkfifo(pipe)
    yield pipe
    if pipe.exists():
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def test_while_the_disk_hangs_nobody_waits_and_then_the_newest_is_written(hung: Path) -> None:
    with closing(StatusFile(hung.parent)) as file:
        file.write({"n": 1})
        time.sleep(0.05)  # whether the thread hangs yet or not, the claim holds
        for number in range(2, 1000):
            file.write({"n": number})
        with hung.open() as reader:
            assert '"n"' in reader.read()
        written = hung.parent / FILE  # for a moment the pipe itself, which nobody may open any more
        eventually(lambda: written.is_file() and read_status(hung.parent) == {"n": 999})


def test_the_end_does_not_wait_for_a_disk_that_hangs(hung: Path) -> None:
    before = set(threading.enumerate())
    file = StatusFile(hung.parent)
    (writer,) = set(threading.enumerate()) - before
    file.write({"n": 1})
    file.close(0.05)
    assert writer.is_alive(), "it still hangs"
    with hung.open() as reader:
        assert '"n"' in reader.read()
    writer.join(10)
    assert not writer.is_alive()


def test_the_last_account_before_the_end_is_written(tmp_path: Path) -> None:
    file = StatusFile(tmp_path)
    file.write({"n": 1})
    file.write({"n": 2})
    file.close(10)
    assert read_status(tmp_path) == {"n": 2}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_can_not_be_text_is_its_callers_error_and_the_next_account_is_written(tmp_path: Path) -> None:
    with closing(StatusFile(tmp_path)) as file:
        with pytest.raises(TypeError):
            file.write({"n": object()})
        file.write({"n": 2})
        eventually(lambda: read_status(tmp_path) == {"n": 2})


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    write_status(tmp_path / "gone", "{}")
    assert read_status(tmp_path / "gone") is None


@pytest.mark.parametrize("text", ["", "[]", "{", "7"])
def test_what_is_no_account_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_status(tmp_path) is None


def test_an_account_whose_writer_is_gone_is_old() -> None:
    assert is_running({"pid": os.getpid()})
    assert not is_running({"pid": 1 << 22})
    assert not is_running({})
