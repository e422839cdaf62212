"""What the bench reads out of a log is what the log says."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.sensor import layout
from bench.tally import Container, Tally

BOX = 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def line(kind: str, **fields: Any) -> str:
    return json.dumps({"id": "a/b/activity/1", "event": {"kind": kind, "time_ns": 5, "container": BOX, **fields}}) + "\n"


def opened(path: str, flow: str) -> str:
    return line("open", actor={"container": BOX}, container=0, file={"path": path}, flow=flow)


def counted(flow: str, count: int) -> str:
    return line("count", flow=flow, what=layout.KIND_OPEN, count=count)


def gap(place: str, what: str, count: int) -> str:
    return line("gap", place=place, what=what, count=count)


def told(folder: Path, *lines: str) -> Container:
    (folder / "activity-1.jsonl").write_text("".join(lines))
    return Tally(folder).read().of(BOX)


def test_a_flow_happened_as_often_as_the_kernel_counted_it(folder: Path) -> None:
    assert told(folder, opened("/data/a", "x"), counted("x", 4), counted("x", 9)).happened("open") == 9


def test_a_flow_without_a_count_happened_as_often_as_it_was_itemised(folder: Path) -> None:
    assert told(folder, opened("/data/a", "x"), opened("/data/a", "x"), opened("/data/b", "y")).happened("open") == 3


def test_files_elsewhere_are_not_among_those_below_a_folder(folder: Path) -> None:
    said = told(folder, opened("/data/a", "x"), opened("/etc/b", "y"), counted("x", 3), counted("y", 5), counted("unnamed", 7))
    assert said.happened("open", "/data/") == 10


def test_what_the_budget_counted_happened_and_is_not_lost(folder: Path) -> None:
    said = told(folder, opened("/data/a", "x"), gap("budget", "open", 6), gap("budget.unsent", "open", 2))
    assert said.happened("open") == 7
    assert not said.lost


def test_other_gaps_are_losses(folder: Path) -> None:
    assert told(folder, gap("ring.urgent", "exec", 3)).lost == {"ring.urgent exec": 3}


def test_reading_goes_on_where_it_stopped_and_waits_for_whole_lines(folder: Path) -> None:
    file, tally = folder / "activity-1.jsonl", Tally(folder)
    whole = opened("/data/a", "x")
    file.write_text(whole + whole[:20])
    assert tally.read().of(BOX).happened("open") == 1
    file.write_text(whole + whole)
    assert tally.read().of(BOX).happened("open") == 2


def test_records_of_others_are_told_apart(folder: Path) -> None:
    (folder / "activity-1.jsonl").write_text(opened("/data/a", "x") + line("exec", actor={"container": 9}, container=0))
    assert Tally(folder).read().others(BOX) == 1
