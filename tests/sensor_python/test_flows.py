"""The kernel counts what is known, and says exactly what it did not itemise."""

import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from agent.sensor.loader import Sensor
from agent.sensor.prepare import Settings
from model.event import Exec, Exit, Open
from tests.sensor_python.conftest import host_mount_namespace
from tests.sensor_python.kernel import Bench, Box, wait


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.write_text("x")
    return made


def read(box: Box, file: Path, times: int = 1) -> None:
    box.run("/bin/cat", *[str(file)] * times)


def test_an_exec_and_its_exit_are_seen(bench: Bench) -> None:
    with bench.container() as box:
        box.run("/bin/false", status=1)
        assert [it.argv for it in box.saw(Exec)] == [("/bin/false",)]
        wait(lambda: [it.status for it in box.saw(Exit)] == [1], "the exit is seen")


def test_a_known_flow_is_counted_and_not_sent_again(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        read(box, file)
        (first,) = box.opens_of(file.name)
        bench.flows.remember([first.flow])
        read(box, file, times=5)
        assert box.opens_of(file.name) == [first]
        assert [(it.count, it.added) for it in box.counts() if it.flow == first.flow] == [(6, 6)]


def test_a_sweep_tells_only_what_was_added_since_the_last(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        read(box, file)
        (first,) = box.opens_of(file.name)
        bench.flows.remember([first.flow])
        assert [it for it in box.counts() if it.flow == first.flow] == []  # once, and that was an event
        read(box, file, times=2)
        (count,) = [it for it in box.counts() if it.flow == first.flow]
        assert (count.count, count.added, count.what, count.final) == (3, 3, layout.KIND_OPEN, False)
        assert box.counts() == []
        read(box, file)
        assert [(it.count, it.added) for it in box.counts() if it.flow == first.flow] == [(4, 1)]


def test_a_sweep_that_is_not_whole_tells_of_what_doubled_and_of_violations(bench: Bench, tmp_path: Path) -> None:
    usual, denied = tmp_path / "usual", tmp_path / "denied"
    with bench.container() as box:
        for one, answer in ((usual, bench.flows.remember), (denied, bench.flows.watch)):
            one.write_text("x")
            read(box, one, times=4)
            answer([box.opens_of(one.name)[0].flow])
        named = {box.opens_of(one.name)[0].flow: one for one in (usual, denied)}

        def told() -> dict[Path, int]:
            counts = bench.flows.sweep(whole=False).counts
            return {named[it.flow]: it.count for it in counts if it.flow in named}

        assert told() == {usual: 4, denied: 4}
        for one in (usual, denied):
            read(box, one, times=3)
        assert told() == {denied: 7}
        read(box, usual)
        assert told() == {usual: 8}
        read(box, usual)
        assert [it.added for it in box.counts() if it.flow in named] == [1]


def test_of_a_cgroup_that_was_the_hosts_no_budget_is_left(bench: Bench, file: Path) -> None:
    def budgets() -> int:
        return sum(layout.BUDGET_KEY.unpack(key)[0] == box.cgroup for key, _ in bench.sensor.map("budgets").items())

    with bench.container() as box:
        read(box, file)
        assert budgets() > 0
        bench.flows.drop(box.cgroup)
        assert budgets() == 0


def test_a_forgotten_flow_is_sent_again(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        read(box, file)
        bench.flows.remember([it.flow for it in box.saw(Open)])
        bench.flows.forget([it.flow for it in box.opens_of(file.name)])
        read(box, file)
        assert len(box.opens_of(file.name)) == 2


def test_more_answers_than_the_array_holds_are_given_in_parts(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        read(box, file)
        (first,) = box.opens_of(file.name)
        bench.flows.remember([*[bytes(40)] * 3000, first.flow])
        read(box, file)
        assert len(box.opens_of(file.name)) == 1


def test_a_flow_without_a_token_is_told_by_the_sweep_with_the_end_of_its_path(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        bench.flows.allow(box.cgroup, layout.KIND_OPEN, Allowance(quota=100, rate=0, burst=0))
        read(box, file)
        assert box.saw(Open) == []
        swept = bench.flows.sweep()
        opens = [it for it in swept.firsts if isinstance(it, Open) and it.actor.container == box.cgroup]
        (found,) = [it for it in opens if it.file.path.endswith(file.name)]
        assert (found.file.inode, found.actor.exe > 0) == (file.stat().st_ino, True)
        bench.flows.remember([found.flow])
        read(box, file)
        again = bench.flows.sweep()
        assert found.flow not in {it.flow for it in again.firsts if isinstance(it, Open)}
        assert [(it.count, it.text) for it in again.counts if it.flow == found.flow] == [(2, "")]


def test_what_is_beyond_the_quota_is_a_gap_with_its_count(bench: Bench, tmp_path: Path) -> None:
    with bench.container() as box:
        bench.flows.losses.read()
        bench.flows.allow(box.cgroup, layout.KIND_OPEN, Allowance(quota=1, rate=1000, burst=1000))
        bench.flows.allow(box.cgroup, layout.KIND_MANY, Allowance(quota=0, rate=0, burst=0))
        for number in range(20):
            (tmp_path / str(number)).write_text("")
        box.run("/bin/cat", *[str(tmp_path / str(number)) for number in range(20)])
        gaps = [gap for gap in bench.flows.losses.read() if gap.container == box.cgroup]
        assert {(gap.place, gap.what) for gap in gaps} == {("budget", "open")}
        assert sum(gap.count for gap in gaps) >= 20
        assert [gap for gap in bench.flows.losses.read() if gap.container == box.cgroup] == []


def test_at_its_end_nothing_of_a_container_is_left_in_the_kernel(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        read(box, file)
        bench.flows.remember([it.flow for it in box.saw(Open)])
        swept, _ = bench.flows.end(box.cgroup)
        assert swept.counts
        assert all(count.final for count in swept.counts)
        held = {"budgets": layout.BUDGET_KEY, "prefixes": layout.PREFIX_KEY, "containers": layout.BUDGET_KEY}
        for name in held:
            keys = [key for key, _ in bench.sensor.map(name).items()]
            assert [key for key in keys if int.from_bytes(key[:8], "little") == box.cgroup] == []
        whos = [layout.WHO.unpack(value)[0] for _, value in bench.sensor.map("whos").items()]
        assert box.cgroup not in whos


def test_unanswered_flows_too_are_gone_with_their_container(bench: Bench, file: Path) -> None:
    with bench.container() as box:
        before = {key for key, _ in bench.sensor.map("flows").items()}
        read(box, file)
        mine = {key for key, _ in bench.sensor.map("flows").items()} - before
        bench.flows.end(box.cgroup)
        assert mine
        assert mine & {key for key, _ in bench.sensor.map("flows").items()} == set()


def test_what_python_decides_keeps_what_the_kernel_noted(bench: Bench) -> None:
    with bench.container() as box:
        bench.flows.set_main(box.cgroup, 77, 5)
        bench.flows.decide(box.cgroup, layout.CONTAINER_HOST)
        value = bench.sensor.map("containers").get(box.cgroup.to_bytes(8, "little"))
        assert layout.CONTAINER.unpack(value or b"")[:2] == (77, 5)
        assert dict(bench.flows.containers())[box.cgroup] == layout.CONTAINER_HOST


def test_execs_beyond_the_budget_are_counted_exactly_by_program_arguments_and_session(bench: Bench) -> None:
    with bench.container() as box:
        box.run("/bin/true")
        bench.flows.allow(box.cgroup, layout.KIND_EXEC, Allowance(100, 0, 0))
        for _ in range(5):
            box.run("/bin/echo", "a")
        for _ in range(3):
            box.run("/bin/echo", "b")
        assert [it.argv for it in box.saw(Exec)] == [("/bin/true",)]
        swept = bench.flows.sweep()
        assert sorted(it.count for it in swept.counts if it.container == box.cgroup and it.what == layout.KIND_EXEC) == [3, 5]
        firsts = [it for it in swept.firsts if isinstance(it, Exec) and it.actor.container == box.cgroup]
        assert [it.file.path.rpartition("/")[2] for it in firsts] == ["echo", "echo"]


def test_a_flow_that_nobody_answered_for_is_sent_again_after_its_time(sensor_object: Path, file: Path) -> None:
    with closing(Sensor.open(sensor_object, Settings(pending_s=0.2))) as sensor, closing(Bench(sensor)) as bench:
        sensor._object.set_variable("host_mount_namespace", host_mount_namespace())
        with bench.container() as box:
            read(box, file)
            began_s = time.monotonic()

            def is_sent_again() -> bool:
                read(box, file)
                return len(box.opens_of(file.name)) > 1

            wait(is_sent_again, "it is sent again")
            assert time.monotonic() - began_s > 0.1
            first, again = box.opens_of(file.name)
            assert again.flow == first.flow
            bench.flows.remember([first.flow])
            read(box, file)
            assert len(box.opens_of(file.name)) == 2


def test_no_flood_of_new_files_takes_the_place_of_an_exec(bench: Bench, tmp_path: Path) -> None:
    with bench.container() as flood, bench.container() as other:
        bench.flows.allow(flood.cgroup, layout.KIND_OPEN, Allowance(1 << 20, 1 << 20, 1 << 20))
        lost = bench.flows.losses.counters()["novelty_lost"]
        make = f"import os; [os.close(os.open(f'{tmp_path}/{{i}}', os.O_CREAT)) for i in range(20000)]"
        flood.run(sys.executable, "-I", "-S", "-c", make)  # nobody reads the rings meanwhile
        assert bench.flows.losses.counters()["novelty_lost"] > lost
        other.run("/bin/echo", "after the flood")
        assert [it.argv[1:] for it in other.saw(Exec)] == [("after the flood",)]
