"""Following a log as it is written, on real files."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from agent.outputs.log import Bounds
from agent.outputs.spool import LINE_LIMIT
from agent.top.feed import Feed
from agent.top.follow import Follower
from model.event import Open
from model.record import Record
from tests.outputs import builders
from tests.top.builders import FakeAgent

KIB = 1 << 10


def paths(entries: Iterator[object]) -> list[str]:
    return [entry.event.file.path for entry in entries if isinstance(entry, Record) and isinstance(entry.event, Open)]


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


class Follow(Protocol):
    """The fixture `follow`."""

    def __call__(self, **bounds: int) -> Follower: ...


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Makes followers of `activity` that are closed at the end."""
    with ExitStack() as stack:
        yield lambda **bounds: stack.enter_context(closing(Follower(tmp_path, "activity", **bounds)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The only file of a log."""
    path = tmp_path / "activity-1f0c9a3b-0.jsonl"
    path.write_bytes(b"one\ntwo\n")
    return path


def test_through_its_rotation_every_record_comes_once_and_in_order(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path, Bounds(activity_bytes=64 * KIB, file_bytes=16 * KIB, sync_s=60))
    agent.status()
    wanted, came = [f"/{number}" for number in range(400)], []
    with closing(Feed(tmp_path)) as feed:
        for begin in range(0, 400, 7):
            agent.write(*map(builders.open_, wanted[begin : begin + 7]))
            came += paths(feed.new())
    assert came == wanted
    assert len(list(tmp_path.glob("activity-*"))) > 1
    assert not (tmp_path / "activity-1f0c9a3b-0.jsonl").exists()  # retention took the first one
    agent.log.close()


def test_it_begins_a_bounded_way_before_the_end_at_a_whole_line(file: Path, follow: Follow) -> None:
    append(file, b"".join(b"%05d\n" % number for number in range(1000)))
    lines = list(follow(look_back=100).lines())
    assert lines[-1] == b"00999"
    assert len(lines) == 16


def test_it_looks_back_over_several_files(tmp_path: Path, file: Path, follow: Follow) -> None:
    (tmp_path / "activity-1f0c9a3b-2.jsonl").write_bytes(b"three\n")
    (tmp_path / "activity-1f0c9a3b-3.jsonl").write_bytes(b"four\n")
    assert list(follow(look_back=13).lines()) == [b"three", b"four"]
    assert list(follow().lines()) == [b"one", b"two", b"three", b"four"]


def test_a_line_comes_when_it_is_whole(file: Path, follow: Follow) -> None:
    follower = follow()
    append(file, b"thr")
    assert list(follower.lines()) == [b"one", b"two"]
    append(file, b"ee\nfour\n")
    assert list(follower.lines()) == [b"three", b"four"]


def test_a_line_that_a_crash_tore_and_the_next_agent_cut_is_never_seen(file: Path, follow: Follow) -> None:
    follower = follow()
    append(file, b"to")
    list(follower.lines())
    with file.open("r+b") as opened:
        opened.truncate(8)
    append(file, b"new\n")
    assert list(follower.lines()) == [b"new"]


def test_a_log_that_has_no_file_yet_is_followed_from_its_first(tmp_path: Path, follow: Follow) -> None:
    follower = follow()
    assert list(follower.lines()) == []
    (tmp_path / "activity-1f0c9a3b-0.jsonl").write_bytes(b"one\n")
    assert list(follower.lines()) == [b"one"]


def test_files_of_an_older_boot_are_left_out(tmp_path: Path, file: Path, follow: Follow) -> None:
    (tmp_path / "activity-ffffffff-0.jsonl").write_bytes(b"newer\n")
    assert list(follow().lines()) == [b"newer"]


def test_who_is_far_behind_skips_and_says_how_much(file: Path, follow: Follow) -> None:
    follower = follow(lag=1000)
    list(follower.lines())
    append(file, b"".join(b"%05d\n" % number for number in range(1000)))
    lines = list(follower.lines())
    assert lines[-1] == b"00999"
    assert follower.skipped_bytes + sum(len(line) + 1 for line in lines) == 6000
    assert follower.skipped_bytes > 5000


def test_what_is_longer_than_any_line_is_skipped_and_counted(file: Path, follow: Follow) -> None:
    follower = follow()
    append(file, b"x" * (3 * LINE_LIMIT) + b"\nnext\n")
    assert list(follower.lines())[-1] == b"next"
    assert follower.overlong > 0


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, file: Path, follow: Follow) -> None:
    (tmp_path / "activity-1f0c9a3b-9.jsonl").symlink_to("/etc/passwd")
    assert list(follow().lines()) == [b"one", b"two"]


def test_lines_that_are_no_records_are_counted(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path)
    agent.write(builders.open_("/x"))
    append(next(tmp_path.glob("activity-*")), b"\x00\xff\n{}\n[1]\n" + b"[" * 100_000 + b"\n")
    with closing(Feed(tmp_path)) as feed:
        assert paths(feed.new()) == ["/x"]
        assert feed.damaged == 4
    agent.log.close()
