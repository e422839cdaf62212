"""A recording gives back what was written, in order, and survives whatever happened to the file."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sensor import layout
from agent.sensor.recording import BUFFERED, LOST, Header, Recorder, Recording, RecordingError, Writer
from agent.sensor.source import Channel
from tests.outputs.builders import eventually

HEADER = Header(boot="b" * 36, clock_offset_ns=5, code_variables=("LD_PRELOAD",), more={"node": "n1"})


def written(path: Path, *frames: tuple[int, bytes] | dict[str, Any], size: int = 1 << 20) -> Recorder:
    recorder = Recorder(path, HEADER, size)
    for frame in frames:
        if isinstance(frame, dict):
            recorder.fact(frame)
        else:
            recorder.write(frame[0], [frame[1]])
    recorder.close()
    return recorder


def replayed(path: Path) -> tuple[list[Any], Recording]:
    seen: list[Any] = []
    recording = Recording(path, seen.append, lambda raw: seen.append(("report", raw)))
    while not recording.ended:
        seen += recording.poll(0)
    recording.close()
    return seen, recording


def test_records_reports_and_facts_come_back_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "r"
    written(
        file, (Channel.URGENT, b"a"), {"container": 7}, (Channel.NOVELTY, b""), (Channel.REPORTS, b"r"), (Channel.URGENT, b"c")
    )
    seen, recording = replayed(file)
    assert seen == [b"a", {"container": 7}, b"", ("report", b"r"), b"c"]
    assert (recording.header.boot, recording.header.more, recording.torn_bytes) == (HEADER.boot, {"node": "n1"}, 0)


@pytest.mark.parametrize("cut", [1, 5, 12, 13])
def test_a_torn_tail_is_read_up_to_and_reported(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "r"
    written(file, (Channel.URGENT, b"whole"), (Channel.URGENT, b"tail"))
    file.write_bytes(file.read_bytes()[:-cut])
    seen, recording = replayed(file)
    assert (seen, recording.torn_bytes) == ([b"whole"], 16 - cut)


def test_a_frame_that_was_altered_ends_the_replay(tmp_path: Path) -> None:
    file = tmp_path / "r"
    written(file, (Channel.URGENT, b"first"), (Channel.URGENT, b"second"), (Channel.URGENT, b"third"))
    file.write_bytes(file.read_bytes().replace(b"second", b"sekond"))
    seen, recording = replayed(file)
    assert (seen, recording.torn_bytes) == ([b"first"], 12 + 6 + 12 + 5)


def test_a_recording_ends_at_its_size_and_counts_what_it_does_not_hold(tmp_path: Path) -> None:
    recorder = written(tmp_path / "r", *[(Channel.URGENT, b"x" * 100)] * 50, size=2000)
    assert (tmp_path / "r").stat().st_size <= 2000 + len(b"vedette recording 1\n")
    *held, last = replayed(tmp_path / "r")[0]
    assert recorder.dropped == 50 - len(held) > 0
    assert last == {LOST: recorder.dropped}
    assert "size" in recorder.problem


class Disk(io.BytesIO):
    """A disk that does not answer while it is hung."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.answers = Event(), Event()

    def write(self, data: Any) -> int:
        self.reached.set()
        assert self.answers.wait(10)
        return super().write(data)

    def close(self) -> None:
        """What was written is looked at."""


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[tuple[Disk, Recorder]]:
    """A recorder with room for ten records, on a disk that hangs."""
    disk = Disk()
    recorder = Recorder(tmp_path / "r", HEADER, 1 << 20)
    recorder.close()
    recorder._writer = Writer(disk, 10 * RECORD)
    assert disk.reached.wait(10)
    yield disk, recorder
    disk.answers.set()


RECORD = 12 + 100


def test_while_the_disk_hangs_nobody_waits_and_the_hole_is_said_at_its_place(hung: tuple[Disk, Recorder], tmp_path: Path) -> None:
    disk, recorder = hung
    records = [b"%03d" % number + b"x" * 97 for number in range(30)]
    recorder.write(Channel.URGENT, records)
    assert (recorder.dropped, recorder.problem) == (20, "")
    disk.answers.set()
    eventually(lambda: not recorder._writer._queue and recorder._writer._given == recorder._writer._taken)
    recorder.write(Channel.URGENT, [b"after"])
    recorder.close(10)
    header = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes(header + disk.getvalue().removeprefix(b"vedette recording 1\n"))
    assert replayed(tmp_path / "r")[0] == [*records[:10], {LOST: 20}, b"after"]


def test_the_end_does_not_wait_for_a_disk_that_hangs(hung: tuple[Disk, Recorder]) -> None:
    _, recorder = hung
    recorder.write(Channel.URGENT, [b"x", b"y"])
    recorder.close(0.05)
    assert (recorder.dropped, recorder.problem) == (2, "the disk does not answer")


def test_a_full_disk_ends_the_recording_and_not_the_agent(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", HEADER, 1 << 20)
    recorder.close()
    full = Path("/dev/full").open("wb", buffering=BUFFERED)  # noqa: SIM115 - the recorder closes it
    recorder._writer = Writer(full)
    recorder.write(Channel.URGENT, [b"x" * 64] * 300)
    recorder.close(10)
    assert (recorder.dropped, "No space" in recorder.problem, full.closed) == (300, True, True)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / "r")
    with pytest.raises(FileExistsError):
        Recorder(tmp_path / "r", HEADER, 1000)


def test_another_versions_layout_is_refused_with_advice(tmp_path: Path) -> None:
    Recorder(tmp_path / "r", Header("b", 0, layout="0123"), 1000).close()
    with pytest.raises(RecordingError, match=f"0123, this version reads {layout.HASH}\nhint: replay it with"):
        replayed(tmp_path / "r")


@pytest.mark.parametrize("content", [b"", b"vedette", b"vedette recording 1\n", b"\x7fELF" * 20])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(RecordingError):
        replayed(tmp_path / "r")


@settings(max_examples=60)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_whatever_happened_to_the_file_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    file = tmp_path_factory.mktemp("r") / "r"
    written(file, (Channel.URGENT, b"a" * 30), {"x": 1}, (Channel.NOVELTY, b"b" * 30))
    whole = bytearray(file.read_bytes())
    whole[at : at + len(noise)] = noise
    file.write_bytes(bytes(whole))
    with contextlib.suppress(RecordingError):
        replayed(file)
