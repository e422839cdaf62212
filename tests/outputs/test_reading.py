"""Reading logs back: bounded, hostile content, by id."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent.outputs.log import Bounds
from agent.outputs.reading import Damaged, decode, find, read
from agent.outputs.spool import LINE_LIMIT
from agent.outputs.stamp import ACTIVITY, EVIDENCE
from model.event import Gap
from model.record import Record
from tests.outputs.builders import BOOT, eventually, open_, stamp
from tests.outputs.conftest import MakeLog

WRITER = """
import sys
from pathlib import Path
from agent.outputs.log import Bounds, Log
from tests.outputs.builders import WHERE, open_
log = Log(Path(sys.argv[1]), WHERE, bounds=Bounds(file_bytes=100_000))
while True:
    log.write(log.stamp.record(open_()))
"""


def file_in(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{ACTIVITY}-{BOOT[:8]}-0.jsonl"
    path.write_bytes(content)
    return path


def test_a_line_that_is_no_record_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    good = msgspec.json.encode(stamp().record(open_()))
    path = file_in(tmp_path, good + b'\n{"id": 7}\n\xff\xfe\n' + b"[" * 5000 + b"\n" + good + b"\n")
    entries = list(read(tmp_path))
    assert [entry.line for entry in entries if isinstance(entry, Damaged)] == [2, 3, 4]
    assert {entry.path for entry in entries if isinstance(entry, Damaged)} == {path}
    assert len([entry for entry in entries if isinstance(entry, Record)]) == 2


def test_a_line_beyond_the_limit_is_not_taken_into_memory(tmp_path: Path) -> None:
    good = msgspec.json.encode(stamp().record(open_()))
    file_in(tmp_path, b"x" * (3 * LINE_LIMIT) + b"\n" + good + b"\n")
    damaged, record = read(tmp_path)
    assert damaged == Damaged(tmp_path / f"{ACTIVITY}-{BOOT[:8]}-0.jsonl", 1, f"longer than {LINE_LIMIT} bytes")
    assert isinstance(record, Record)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    file_in(tmp_path, msgspec.json.encode(stamp().record(open_()))[:-3])
    assert list(read(tmp_path)) == []


def test_fields_of_a_newer_schema_are_kept() -> None:
    fields = msgspec.json.decode(msgspec.json.encode(stamp().record(open_())))
    newer = decode(msgspec.json.encode(fields | {"schema": 99, "colour": "red"}))
    assert isinstance(newer, Record)
    assert newer.also == {"colour": "red"}


@given(st.binary(max_size=400))
def test_hostile_files_give_records_or_damaged_and_nothing_else(tmp_path_factory: object, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "hostile"  # type: ignore[attr-defined] # a session fixture: one folder for all examples
    file_in(folder, content)
    assert all(isinstance(entry, Damaged) for entry in read(folder))


def test_a_record_is_found_by_its_id_in_any_file(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(bounds=Bounds(file_bytes=5_000))
    records = [log.stamp.record(open_(path=f"/etc/{number}")) for number in range(60)]
    for record in records:
        log.write(record)
    log.close()
    assert len(list((tmp_path / "log").glob("activity-*"))) > 3
    assert [find(tmp_path / "log", record.id) for record in records] == records


def test_what_is_not_there_is_not_found(make_log: MakeLog, tmp_path: Path) -> None:
    make_log().close()
    here = f"agent-1/{BOOT}"
    for wrong in ("", "a/b/activity/1", f"{here}/activity/7", f"{here}/../7", f"{here}/activity/{'9' * 5000}"):
        assert find(tmp_path / "log", wrong) is None


def test_an_agent_killed_at_any_moment_leaves_whole_lines_and_a_gap_for_a_torn_one(make_log: MakeLog, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, folder])
        eventually(lambda: len(list(folder.glob("activity-*"))) > 1)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    log = make_log(folder)
    position = log.write(log.stamp.record(open_()))
    eventually(lambda: log.taken() >= position)
    ids = [int(entry.id.rpartition("/")[2]) for entry in read(folder, ACTIVITY) if not isinstance(entry, Damaged)]
    assert len(ids) == len(list(read(folder, ACTIVITY))), "no line is damaged"
    assert len(set(ids)) == len(ids), "no id is given twice"
    gaps = [e.event for e in read(folder, EVIDENCE) if isinstance(e, Record) and isinstance(e.event, Gap)]
    assert {gap.what for gap in gaps} <= {"torn", "open"}
