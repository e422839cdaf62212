"""One line of the table: what was measured, how far the rounds lay apart, and what it should be."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from msgspec import Struct


class Target(Struct, frozen=True):
    """What a value should be: at most, at least, or exactly."""

    sign: Literal["≤", "≥", "="]
    value: float

    def met(self, value: float) -> bool:
        """Whether it is so."""
        if self.sign == "=":
            return value == self.value
        return value <= self.value if self.sign == "≤" else value >= self.value


class Row(Struct, frozen=True, omit_defaults=True):
    """One measured value. `low` and `high` are those of the rounds; equal to the value where there was one."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return self.target.met(self.value) if self.target else None


def row(name: str, values: Sequence[float], unit: str, target: Target | None = None, note: str = "") -> Row:
    """The median of the values, with their noise."""
    return Row(name, median(values), unit, min(values), max(values), target, note)


def one(name: str, value: float, unit: str, target: Target | None = None, note: str = "") -> Row:
    """A value that was measured once."""
    return row(name, [value], unit, target, note)


def at_most(value: float) -> Target:
    """A target: no more than this."""
    return Target("≤", value)


def at_least(value: float) -> Target:
    """A target: no less than this."""
    return Target("≥", value)


def exactly(value: float) -> Target:
    """A target: this."""
    return Target("=", value)
