"""What a sweep says becomes counts, and first sights that no ring had room for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sensor import layout
from agent.sensor.decode import DecodeError
from agent.sensor.reports import KINDS, Reports, started_ns
from model.event import Access, Direction, Exec, Flag, Layer, Net, Open, Operation, Session
from tests.sensor_python.records import Values, pack

NOW = 9_000_000_000


def what(kind: int, layer: int, details: int) -> int:
    return kind << 24 | layer << 16 | details


def file_key(kind: int, details: int, layer: int = layout.LAYER_WRITABLE) -> bytes:
    return layout.FLOW_KEY.pack(1, 77, 2, 8, 9, 5, what(kind, layer, details))


def report(key: bytes, **values: int | bytes) -> bytes:
    usual: Values = {
        "key": key, "who_container": 4711, "who_exe": 3, "who_session": 2, "who_euid": 1000, "count": 5, "added": 2,
        "first_ns": 1_000_000_000, "last_ns": 8_000_000_000, "actor": 70_000 << 32 | 4_000_000, "tail": b"/tmp/x",
    }  # fmt: skip
    return pack(layout.REPORT, layout.REPORT_FIELDS, {**usual, **values})


def read(raw: bytes) -> tuple[Any, Any]:
    return Reports().read(raw, NOW)


def test_a_known_flow_is_a_count_alone() -> None:
    first, count = read(report(file_key(layout.KIND_OPEN, 1), state=layout.FLOW_KNOWN))
    assert first is None
    assert (count.container, count.seen, count.what) == (4711, Session.MAIN, layout.KIND_OPEN)
    assert (count.count, count.added, count.first_ns, count.last_ns) == (5, 2, 1_000_000_000, 8_000_000_000)
    assert (count.last_pid, count.last_started_ns, count.text, count.final) == (70_000, 4_000_000, "", False)


def test_the_last_report_of_a_flow_is_final() -> None:
    assert read(report(file_key(layout.KIND_OPEN, 1), state=layout.FLOW_KNOWN, retired=1))[1].final


def test_an_open_that_was_never_sent_is_made_from_its_key() -> None:
    first, count = read(report(file_key(layout.KIND_OPEN, 3 | int(Flag.DELETED) << 5)))
    assert isinstance(first, Open)
    assert (first.file.path, first.file.layer, first.file.flags) == ("/tmp/x", Layer.WRITABLE, Flag.DELETED)
    assert (first.file.inode, first.file.device, first.file.real_device, first.file.generation) == (77, 8, 9, 5)
    assert (first.access, first.actor.pid, first.actor.started_ns) == (Access.READ | Access.WRITE, 70_000, 4_000_000_000)
    assert count.text == "/tmp/x"


def test_a_path_of_which_only_the_end_is_known_is_marked_as_cut() -> None:
    first, _ = read(report(file_key(layout.KIND_OPEN, 1), tail=b"a" * 64))
    assert (first.file.path, first.file.flags) == ("a" * 64, Flag.CUT)
    assert read(report(file_key(layout.KIND_OPEN, 1), tail=b""))[0].file.flags == Flag.CUT


def test_bytes_of_the_record_before_a_short_path_are_not_its_name() -> None:
    first, _ = read(report(file_key(layout.KIND_OPEN, 1), tail=b"\x01\0\0\0/tmp/short"))
    assert (first.file.path, first.file.flags) == ("/tmp/short", Flag(0))


def test_a_peer_that_was_never_sent_is_made_from_its_key() -> None:
    mapped = bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 7])
    key = layout.FLOW_KEY_PEER.pack(1, mapped, 443, 0, 0, 0, what(layout.KIND_NET, 0, layout.DIRECTION_EGRESS << 8 | 6))
    first, _ = read(report(key))
    assert isinstance(first, Net)
    assert (first.address, first.port, first.direction, first.protocol) == ("10.0.0.7", 443, Direction.EGRESS, 6)


def test_a_change_that_was_never_sent_says_its_operation() -> None:
    assert read(report(file_key(layout.KIND_CHANGE, layout.OPERATION_UNLINK)))[0].operation is Operation.UNLINK


def test_an_exec_beyond_the_budget_is_told_without_its_arguments() -> None:
    first, _ = read(report(file_key(layout.KIND_EXEC, 0)))
    assert isinstance(first, Exec)
    assert (first.file.path, first.argv, first.argv_bytes) == ("/tmp/x", (), -1)


def test_a_start_is_found_from_its_low_bits() -> None:
    later = (7 << 32 | 5) * 1000
    assert started_ns(3, later) == (7 << 32 | 3) * 1000
    assert started_ns(9, later) == (6 << 32 | 9) * 1000


def test_kinds_have_the_words_of_the_events() -> None:
    assert {KINDS[kind] for kind in (1, 3, 6)} == {"exec", "open", "net"}


def test_a_report_that_is_cut_is_malformed() -> None:
    with pytest.raises(DecodeError):
        read(report(file_key(layout.KIND_OPEN, 1))[:-1])


@given(st.binary(min_size=layout.REPORT.size, max_size=layout.REPORT.size))
def test_arbitrary_bytes_give_a_report_or_are_counted(raw: bytes) -> None:
    reports = Reports()
    _, counts = reports.all([raw], NOW)
    assert len(counts) + reports.malformed == 1
