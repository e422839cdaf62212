"""The bench's workload does what it counts."""

import pytest

from tests.containers.runc import Box, MakeBox

WORKS = {
    "open-hot": 1000,
    "open-cold": 4000,
    "exec": 50,
    "exec-paced": 20,
    "exec-storm": 51,
    "fork": 50,
    "connect": 500,
    "datagram": 100,
    "temp": 500,
    "distinct": 300,
    "null": 1000,
}


@pytest.mark.parametrize(("work", "count"), WORKS.items())
def test_a_work_is_done_as_often_as_asked_and_tells_its_cost(box: MakeBox, work: str, count: int) -> None:
    told = box().exec("/usr/bin/bulk", work, str(count)).facts[0]
    assert (told["work"], told["count"], told["failed"]) == (work, count, 0)
    assert told["cpu_ns"] >= 0
    assert told["wall_ns"] > 0


def test_a_paced_work_keeps_its_pace(box: MakeBox) -> None:
    told = box().exec("/usr/bin/bulk", "exec-paced", "50", "100").facts[0]
    assert told["wall_ns"] >= 49 * 10_000_000


def test_temporary_files_are_gone_and_distinct_ones_stay(box: MakeBox) -> None:
    one: Box = box()
    one.exec("/usr/bin/bulk", "temp", "100", "/opt")
    assert not list((one.upper / "opt").glob("*"))
    one.exec("/usr/bin/bulk", "distinct", "250", "/opt")
    assert len(list((one.upper / "opt").rglob("f*"))) == 250


def test_every_work_is_tried_here(box: MakeBox) -> None:
    listed = box().exec("/usr/bin/bulk").err.splitlines()
    assert {line.split()[1] for line in listed} == set(WORKS)
