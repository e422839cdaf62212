"""Rows and ratios."""

import pytest

from bench.rounds import cpu_ratios
from bench.rows import Target, at_least, at_most, exactly, one, row
from bench.shop import Sample
from bench.table import number


def test_a_row_is_the_median_with_its_noise() -> None:
    found = row("open", [1.3, 1.1, 1.2], "times")
    assert (found.value, found.low, found.high) == (1.2, 1.1, 1.3)


@pytest.mark.parametrize(
    ("target", "good", "bad"), [(at_most(1.25), 1.25, 1.26), (at_least(0.97), 0.97, 0.96), (exactly(0), 0, 1)]
)
def test_a_target_is_met_or_not(target: Target, good: float, bad: float) -> None:
    assert (one("x", good, "", target).met, one("x", bad, "", target).met) == (True, False)


def test_a_row_without_a_target_is_neither_good_nor_bad() -> None:
    assert one("x", 1, "").met is None


def test_ratios_are_of_neighbours() -> None:
    def sample(cpu_ns: int) -> Sample:
        return Sample(1, cpu_ns, 1)

    assert cpu_ratios([(sample(100), sample(110)), (sample(200), sample(210))]) == [1.1, 1.05]


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567, "1 234 567"), (0, "0"), (0.12345, "0.123"), (12.345, "12.35"), (355.51, "355.5")]
)
def test_a_value_is_shown_with_the_digits_that_matter(value: float, shown: str) -> None:
    assert number(value) == shown
