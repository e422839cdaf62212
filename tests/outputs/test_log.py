"""The log on disk: what is written comes back, and what is not written is counted."""

import os
import shutil
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outputs.log import Bounds, Log
from agent.outputs.reading import Damaged, Entry, find, read
from agent.outputs.spool import FolderInUseError, files_of
from agent.outputs.stamp import ACTIVITY, EVIDENCE, Clock
from model.event import Exec, Gap
from model.record import Note, Record
from model.text import from_bytes, to_bytes
from tests.outputs.builders import ALLOWED, OFFSET_NS, SECOND_NS, T0, WHERE, eventually, exec_, gap, open_, origin
from tests.outputs.conftest import MakeLog, SmallDisk

TINY = Bounds(evidence_bytes=1 << 20, activity_bytes=40_000, file_bytes=10_000, sync_s=0.05)
NARROW = Bounds(evidence_queue_bytes=8_000, activity_queue_bytes=20_000, sync_s=0.05)


def gaps(entries: list[Entry]) -> Counter[tuple[str, str]]:
    """Counts by place and what."""
    counts: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry, Record) and isinstance(entry.event, Gap):
            counts[entry.event.place, entry.event.what] += entry.event.count
    return counts


def indexes(entries: list[Entry]) -> list[int]:
    return [int(entry.id.rpartition("/")[2]) for entry in entries if not isinstance(entry, Damaged)]


def written(log: Log, position: int) -> None:
    assert position > 0
    eventually(lambda: log.taken() >= position)


def test_what_is_written_comes_back_exactly(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    record = log.stamp.record(exec_(), origin(), ALLOWED, True)
    written(log, log.write(record))
    assert list(read(tmp_path / "log", ACTIVITY)) == [record]


def test_evidence_and_activity_are_apart(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    log.write(log.stamp.record(gap()))
    log.write(log.stamp.note("heartbeat", {"events": 7}))
    written(log, log.write(log.stamp.record(open_())))
    evidence = list(read(tmp_path / "log", EVIDENCE))
    assert [entry.kind for entry in evidence if isinstance(entry, Note)] == ["clock", "heartbeat"]
    assert gaps(evidence) == {("ring.urgent", "exec"): 3}
    assert len(list(read(tmp_path / "log", ACTIVITY))) == 1


def test_files_are_for_root_alone(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    written(log, log.write(log.stamp.record(open_())))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "log").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_ids_go_on_after_a_restart(make_log: MakeLog, tmp_path: Path) -> None:
    for _ in range(3):
        log = make_log()
        written(log, [log.write(log.stamp.record(open_())) for _ in range(5)][-1])
        log.close()
    assert indexes(list(read(tmp_path / "log", ACTIVITY))) == list(range(15))


def test_a_second_agent_on_the_same_folder_is_refused(make_log: MakeLog, tmp_path: Path) -> None:
    first = make_log()
    with pytest.raises(FolderInUseError, match="another agent writes its log there"):
        Log(tmp_path / "log", WHERE)
    first.close()
    make_log()


def test_a_torn_last_line_is_cut_and_leaves_a_gap(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    written(log, [log.write(log.stamp.record(open_())) for _ in range(3)][-1])
    log.close()
    path = files_of(tmp_path / "log", ACTIVITY)[0].path
    os.truncate(path, path.stat().st_size - 20)
    again = make_log()
    written(again, again.write(again.stamp.record(open_())))
    eventually(lambda: gaps(list(read(tmp_path / "log"))) == {("log.activity", "torn"): 1})
    entries = list(read(tmp_path / "log", ACTIVITY))
    assert indexes(entries) == [0, 1, 3], "the torn record's id is not given again"


def test_the_oldest_files_go_when_a_log_is_over_its_budget_and_are_counted(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(bounds=TINY)
    for _ in range(300):
        written(log, log.write(log.stamp.record(open_())))
        assert sum(file.path.stat().st_size for file in files_of(tmp_path / "log", ACTIVITY)) <= TINY.activity_bytes
    kept = indexes(list(read(tmp_path / "log", ACTIVITY)))
    assert kept == list(range(kept[0], 300))
    eventually(lambda: gaps(list(read(tmp_path / "log", EVIDENCE))) == {("log.activity", "retention"): kept[0]})
    assert find(tmp_path / "log", f"agent-1/{WHERE.boot}/evidence/0") is not None, "noise must not evict evidence"


def test_retention_counts_files_of_earlier_agents_too(make_log: MakeLog, tmp_path: Path) -> None:
    for _ in range(4):
        log = make_log(bounds=TINY)
        for _ in range(60):
            written(log, log.write(log.stamp.record(open_())))
        log.close()
    entries = list(read(tmp_path / "log"))
    assert gaps(entries)["log.activity", "retention"] + len(list(read(tmp_path / "log", ACTIVITY))) == 240


def test_a_full_disk_loses_nothing_that_was_queued_and_counts_the_rest(small_disk: SmallDisk, make_log: MakeLog) -> None:
    folder = small_disk.folder / "log"
    log = make_log(folder, bounds=NARROW)
    written(log, log.write(log.stamp.record(open_())))
    small_disk.fill()
    positions = [log.write(log.stamp.record(open_())) for _ in range(200)]
    eventually(lambda: log.state()[ACTIVITY].error)
    positions += [log.write(log.stamp.record(exec_())) for _ in range(50)]
    refused = Counter({"open": positions[:200].count(0), "exec": positions[200:].count(0)})
    assert log.state()[ACTIVITY].lost == refused
    assert "ENOSPC" in log.state()[ACTIVITY].error
    assert log.taken() < max(positions), "nothing is called taken that the kernel does not have"

    small_disk.remount("size=4m")
    written(log, max(positions))
    told = {("log.activity", kind): count for kind, count in refused.items()}
    eventually(lambda: gaps(list(read(folder))) == told)
    entries = list(read(folder, ACTIVITY))
    assert len(entries) == 1 + 250 - sum(refused.values())
    assert not any(isinstance(entry, Damaged) for entry in entries), "a short write is gone on with at the right byte"
    assert log.state()[ACTIVITY].error == ""


def test_an_unwritable_folder_is_tried_again_until_it_works(small_disk: SmallDisk, make_log: MakeLog) -> None:
    folder = small_disk.folder / "log"
    folder.mkdir()
    small_disk.remount("ro")
    log = make_log(folder)
    position = log.write(log.stamp.record(open_()))
    eventually(lambda: "EROFS" in log.state()[ACTIVITY].error)
    small_disk.remount("rw")
    written(log, position)
    assert len(list(read(folder, ACTIVITY))) == 1


def test_a_removed_folder_is_made_again_and_what_it_held_is_counted(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    written(log, [log.write(log.stamp.record(open_())) for _ in range(5)][-1])
    shutil.rmtree(tmp_path / "log")
    written(log, log.write(log.stamp.record(open_())))
    eventually(lambda: gaps(list(read(tmp_path / "log"))) == {("log.activity", "removed"): 5, ("log.evidence", "removed"): 1})
    assert indexes(list(read(tmp_path / "log", ACTIVITY))) == [5]
    with pytest.raises(FolderInUseError):
        Log(tmp_path / "log", WHERE)


def test_a_line_beyond_the_limit_is_counted_and_not_written(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    assert log.write(log.stamp.record(exec_(argv=("x" * (1 << 20),)))) == 0
    eventually(lambda: gaps(list(read(tmp_path / "log"))) == {("log.activity", "exec"): 1})


def test_text_that_is_no_unicode_costs_its_record_and_nothing_else(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    assert log.write(log.stamp.record(exec_(argv=("\ud800",)))) == 0
    written(log, log.write(log.stamp.record(exec_())))
    eventually(lambda: gaps(list(read(tmp_path / "log"))) == {("log.activity", "exec"): 1})


def test_several_threads_may_write(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()

    def write() -> None:
        for _ in range(500):
            assert log.write(log.stamp.record(open_()))

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close() == 0
    assert sorted(indexes(list(read(tmp_path / "log", ACTIVITY)))) == list(range(2000))


def test_closing_writes_what_is_queued(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    for _ in range(500):
        log.write(log.stamp.record(open_()))
    assert log.close() == 0
    assert len(list(read(tmp_path / "log", ACTIVITY))) == 500


def test_closing_on_a_full_disk_ends_at_the_deadline_and_says_how_many_are_lost(small_disk: SmallDisk, make_log: MakeLog) -> None:
    log = make_log(small_disk.folder / "log")
    written(log, log.write(log.stamp.record(open_())))
    small_disk.fill()
    positions = [log.write(log.stamp.record(open_())) for _ in range(20)]
    eventually(lambda: log.state()[ACTIVITY].error)
    assert log.close(deadline_s=0.2) == sum(position > log.taken() for position in positions)


def test_the_kernel_time_of_what_was_written_is_told_for_the_latency(make_log: MakeLog) -> None:
    seen: list[int] = []
    log = make_log(latency=lambda times, _now: seen.extend(times))
    log.write(log.stamp.record(gap()))
    written(log, log.write(log.stamp.record(open_(time_ns=T0 + 7))))
    eventually(lambda: seen == [T0 + 7])


def test_a_jump_of_the_wall_clock_leaves_a_note(make_log: MakeLog, tmp_path: Path) -> None:
    clock = Clock(OFFSET_NS)  # far from the real one: the first check finds a jump
    log = make_log(clock=clock)
    written(log, log.write(log.stamp.record(open_())))
    eventually(lambda: len([e for e in read(tmp_path / "log", EVIDENCE) if isinstance(e, Note) and e.kind == "clock"]) == 2)


def test_wall_time_is_boot_time_plus_offset() -> None:
    clock = Clock(OFFSET_NS)
    assert clock.wall(T0 + 5) == "2025-06-15T15:23:20.000000005Z"
    assert clock.wall(T0 + SECOND_NS) == "2025-06-15T15:23:21.000000000Z"
    assert not clock.jumped(OFFSET_NS + SECOND_NS // 2)
    assert clock.jumped(OFFSET_NS + 3 * SECOND_NS)
    assert not clock.jumped(OFFSET_NS + 3 * SECOND_NS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=60), min_size=1, max_size=8))
def test_hostile_text_round_trips(tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = Log(folder, WHERE)
    log.write(log.stamp.record(exec_(path=from_bytes(texts[0]), argv=tuple(map(from_bytes, texts))), origin()))
    assert log.close() == 0
    (entry,) = read(folder, ACTIVITY)
    assert isinstance(entry, Record)
    assert isinstance(entry.event, Exec)
    assert [to_bytes(text) for text in entry.event.argv] == texts
    shutil.rmtree(folder)
