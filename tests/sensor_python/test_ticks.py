"""The clock of ticks says the boot time, late by a tick at the most."""

import pytest

from agent.sensor.ticks import Ticks
from tests.sensor_python.kernel import Bench, wait

SECOND = 10**9


class Machine:
    """A boot clock and a count of ticks that has a beginning of its own."""

    def __init__(self, per_second: int) -> None:
        self.now_ns, self.per_second, self.asleep_ns = 100 * SECOND + 123, per_second, 0
        self.told: list[tuple[int, int]] = []

    def ticks(self) -> int:
        return 4_294_892_296 + (self.now_ns - self.asleep_ns) * self.per_second // SECOND

    def shown(self) -> int:
        """As the programs compute it."""
        tick_ns, began_ns = self.told[-1]
        return (began_ns + self.ticks() * tick_ns) & (1 << 64) - 1


def ticks_of(machine: Machine) -> Ticks:
    return Ticks(machine.ticks, lambda *told: machine.told.append(told), lambda: machine.now_ns)


def is_late_by_a_tick_at_most(machine: Machine) -> bool:
    return 0 <= machine.shown() - machine.now_ns <= 2 * SECOND // machine.per_second


@pytest.mark.parametrize("per_second", [100, 128, 250, 300, 1000, 1024])
def test_the_length_of_a_tick_is_found_whatever_the_kernel_was_built_with(per_second: int) -> None:
    machine = Machine(per_second)
    ticks = ticks_of(machine)
    for passed_ns in (5 * SECOND, 17 * SECOND + 1_234_567):
        machine.now_ns += passed_ns
        ticks.renew()
        assert machine.told[-1][0] == SECOND // per_second
        assert is_late_by_a_tick_at_most(machine)


@pytest.mark.parametrize(("per_second", "enough_ns"), [(250, SECOND // 4), (128, 4 * SECOND)])
def test_until_enough_has_passed_the_programs_read_the_real_clock(per_second: int, enough_ns: int) -> None:
    machine = Machine(per_second)
    ticks = ticks_of(machine)
    machine.now_ns += enough_ns - 1
    ticks.renew()
    assert machine.told == []
    machine.now_ns += 1
    ticks.renew()
    assert machine.told[-1][0] == SECOND // per_second


def test_a_machine_that_slept_is_right_again_with_the_next_sweep() -> None:
    machine = Machine(250)
    ticks = ticks_of(machine)
    machine.now_ns += 5 * SECOND
    ticks.renew()
    machine.now_ns += 60 * SECOND
    machine.asleep_ns += 60 * SECOND
    ticks.renew()
    assert is_late_by_a_tick_at_most(machine)


def test_this_kernels_ticks_go_on(bench: Bench) -> None:
    before = bench.sensor.read_ticks()
    wait(lambda: bench.sensor.read_ticks() > before, "a tick passes")
