"""Every loss is told once, to whom it belongs."""

from collections.abc import Iterator
from struct import pack

from agent.sensor import layout
from agent.sensor.losses import Losses
from model.event import Gap
from tests.sensor_python.records import pack as packed


class FakeMap:
    """A map of two CPUs' values, or of plain ones."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self.held.items()

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)


class Kernel:
    """The kernel's counters, set by a test."""

    def __init__(self) -> None:
        self.budgets, self.counters = FakeMap(), FakeMap()
        self.losses = Losses(self.budgets, self.counters)  # type: ignore[arg-type]

    def budget(self, container: int, kind: int, **values: int | bytes) -> None:
        value = packed(layout.BUDGET, layout.BUDGET_FIELDS, {**values})
        self.budgets.held[layout.BUDGET_KEY.pack(container, kind)] = value

    def counter(self, number: int, *cpus: int) -> None:
        self.counters.held[number.to_bytes(4, "little")] = pack(f"<{len(cpus)}Q", *cpus)

    def gaps(self) -> list[tuple[int, str, str, int]]:
        return told(self.losses.read())


def told(gaps: list[Gap]) -> list[tuple[int, str, str, int]]:
    return [(gap.container, gap.place, gap.what, gap.count) for gap in gaps]


def test_what_a_budget_counts_is_told_once_as_its_containers() -> None:
    kernel = Kernel()
    kernel.budget(7, layout.KIND_OPEN, over=5, unsent=2, sent=100)
    assert kernel.gaps() == [(7, "budget", "open", 5), (7, "budget.unsent", "open", 2)]
    assert kernel.gaps() == []
    kernel.budget(7, layout.KIND_OPEN, over=6, unsent=2)
    assert kernel.gaps() == [(7, "budget", "open", 1)]


def test_what_a_container_lost_on_the_ring_is_not_nobodys_too() -> None:
    kernel = Kernel()
    kernel.budget(7, layout.KIND_EXIT, lost=3)
    kernel.counter(layout.COUNTER_URGENT_LOST, 2, 2)
    assert kernel.gaps() == [(7, "ring", "exit", 3), (0, "ring.urgent", "", 1)]
    assert kernel.gaps() == []


def test_a_container_that_ended_has_its_last_losses_told() -> None:
    kernel = Kernel()
    kernel.budget(7, layout.KIND_EXIT, lost=3)
    kernel.budget(8, layout.KIND_OPEN, over=1)
    kernel.counter(layout.COUNTER_URGENT_LOST, 3, 0)
    assert told(kernel.losses.last(frozenset({7}))) == [(7, "ring", "exit", 3)]
    kernel.budgets.held.pop(layout.BUDGET_KEY.pack(7, layout.KIND_EXIT))
    assert kernel.gaps() == [(8, "budget", "open", 1)]


def test_counters_are_summed_over_the_cpus() -> None:
    kernel = Kernel()
    kernel.counter(layout.COUNTER_WHO_FULL, 40, 2)
    kernel.counter(layout.COUNTER_VMA_BUSY, 0, 3)
    assert kernel.losses.counters()["who_full"] == 42
    assert kernel.gaps() == [(0, "vma", "load", 3)]


def test_inodes_beyond_those_that_one_call_is_looked_at_for_are_told() -> None:
    kernel = Kernel()
    kernel.counter(layout.COUNTER_TOUCHED_CUT, 0, 4)
    assert kernel.gaps() == [(0, "touched", "change", 4)]


def test_a_gap_says_since_when() -> None:
    kernel = Kernel()
    kernel.counter(layout.COUNTER_RACE, 1, 0)
    (first,) = kernel.losses.read()
    kernel.counter(layout.COUNTER_RACE, 2, 0)
    (second,) = kernel.losses.read()
    assert first.began_ns <= first.time_ns <= second.began_ns <= second.time_ns
