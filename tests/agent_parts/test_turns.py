"""The loop's end: what the rings still hold is taken, and what there is no time for is counted."""

from typing import Any, cast

from agent.turns import Turns


class Rings:
    """Three batches that wait."""

    ended = False

    def __init__(self) -> None:
        self.waiting = [[b"a", b"b"], [b"c"], [b"d", b"e", b"f"]]

    def poll(self, timeout_s: float) -> list[bytes]:
        del timeout_s
        return self.waiting.pop(0) if self.waiting else []


class Pipeline:
    """What reached it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def take(self, records: list[bytes]) -> None:
        self.taken += records

    def settle(self) -> None:
        """Nothing to answer."""


def drained(deadline_s: float) -> tuple[list[bytes], int]:
    pipeline = Pipeline()
    turns = Turns(Rings(), cast("Any", pipeline), [], lambda _name, _error: None)
    turns.drain(deadline_s)
    return pipeline.taken, turns.undrained


def test_all_that_the_rings_hold_is_taken_at_the_end() -> None:
    assert drained(60) == ([b"a", b"b", b"c", b"d", b"e", b"f"], 0)


def test_what_the_end_leaves_no_time_for_is_counted() -> None:
    assert drained(-1) == ([], 6)
