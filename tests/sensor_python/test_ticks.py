"""The clock of ticks says the boot time, late by two ticks at the most."""

import pytest

from agent.sensor.ticks import SHORT_NS, USUAL, Ticks
from tests.sensor_python.kernel import Bench, wait

SECOND = 10**9


class Machine:
    """A boot clock and a count of ticks that has a beginning of its own."""

    def __init__(self, per_second: int) -> None:
        self.now_ns, self.per_second, self.asleep_ns = 100 * SECOND + 123, per_second, 0
        self.delay_ns = 0  # of a look
        self.told: list[tuple[int, int]] = []

    def ticks(self) -> int:
        self.now_ns += self.delay_ns
        return 4_294_892_296 + (self.now_ns - self.asleep_ns) * self.per_second // SECOND

    def shown(self) -> int:
        """As the programs compute it."""
        tick_ns, began_ns = self.told[-1]
        return (began_ns + self.ticks() * tick_ns) & (1 << 64) - 1


def ticks_of(machine: Machine) -> Ticks:
    return Ticks(machine.ticks, lambda *told: machine.told.append(told), lambda: machine.now_ns)


def is_right(machine: Machine) -> bool:
    return 0 <= machine.shown() - machine.now_ns <= 2 * SECOND // machine.per_second


@pytest.mark.parametrize("per_second", USUAL)
def test_the_length_of_a_tick_is_found_whatever_the_kernel_was_built_with(per_second: int) -> None:
    machine = Machine(per_second)
    ticks = ticks_of(machine)
    for passed_ns in (5 * SECOND, 17 * SECOND + 1_234_567):
        machine.now_ns += passed_ns
        ticks.renew()
        assert machine.told[-1][0] == SECOND // per_second
        for _ in range(50):
            machine.now_ns += SECOND // 10 + 777
            assert is_right(machine)


def test_until_enough_has_passed_the_programs_read_the_real_clock() -> None:
    machine = Machine(250)
    ticks = ticks_of(machine)
    machine.now_ns += SHORT_NS - 1
    ticks.renew()
    assert machine.told == []
    machine.now_ns += 1
    ticks.renew()
    assert is_right(machine)


def test_with_an_unusual_tick_the_real_clock_stays_in_use() -> None:
    machine = Machine(128)
    ticks = ticks_of(machine)
    for _ in range(5):
        machine.now_ns += 5 * SECOND
        ticks.renew()
    assert machine.told == []


def test_a_look_that_was_interrupted_says_nothing() -> None:
    machine = Machine(250)
    machine.delay_ns = 20_000_000
    ticks = ticks_of(machine)
    machine.now_ns += SECOND
    ticks.renew()
    assert machine.told == []
    machine.delay_ns = 0
    for _ in range(2):
        machine.now_ns += SECOND
        ticks.renew()
    assert is_right(machine)


@pytest.mark.parametrize("known", [False, True])
def test_a_machine_that_slept_is_right_again_with_the_next_sweep(known: bool) -> None:
    machine = Machine(250)
    ticks = ticks_of(machine)
    if known:
        machine.now_ns += 5 * SECOND
        ticks.renew()
    machine.now_ns += 60 * SECOND
    machine.asleep_ns += 55 * SECOND
    ticks.renew()
    machine.now_ns += 5 * SECOND
    ticks.renew()
    assert is_right(machine)


def test_this_kernels_ticks_go_on(bench: Bench) -> None:
    before = bench.sensor.read_ticks()
    wait(lambda: bench.sensor.read_ticks() > before, "a tick passes")
