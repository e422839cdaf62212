"""The hot path itself, with parts that note what they were asked: the order of what is written, and what an error costs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from agent.pipeline import BATCH, Parts, Pipeline
from model.event import Event, Handover, Open
from model.origin import Origin
from model.record import Record, Where
from model.verdict import Mode, Outcome, Reason, Verdict
from tests.model.builders import actor, container, open_

HANDOVER = b"handover"
WHERE = Where("agent", "boot", "node")
BROKEN = ValueError("broken")


def numbered(number: int) -> Open:
    return replace(open_(f"/data/{number}"), flow=b"%040d" % number)


class House:
    """Everything around a pipeline. `breaks` names the stages that fail, and for which file."""

    def __init__(self, **breaks: str) -> None:
        self.breaks = breaks
        self.written: list[str] = []
        self.told: list[str] = []
        self.errors: list[Exception] = []
        self.remembered: list[bytes] = []
        self.watched: list[bytes] = []
        self.outcome = Outcome.ALLOWED
        self.named = True
        self.pipeline = Pipeline(
            Parts(
                decode=self._through("decode", self._decode),
                notice=lambda _event: setattr(self, "named", True),
                locate=self._through("locate", lambda event: (event, Origin(container(), None) if self.named else None)),
                hold=lambda event: (event,),
                judge=self._through("judge", lambda _event, _origin: self.verdict()),
                record=lambda event, origin, verdict, late: Record("", "", WHERE, event, origin, verdict, late=late),
                log=self._log,
                outputs=(
                    self._through("first", self._tell),
                    self._through("second", lambda _record: self.told.append("finding")),
                ),
                novel=self._through("novel", lambda _event, _origin, _verdict: None),
                taken=lambda: 1 << 60,
                failed=self.errors.append,
                remember=self.remembered.extend,
                watch=self.watched.extend,
            )
        )

    def _decode(self, raw: bytes) -> Event:
        """As its container calls it, once that has a name. HANDOVER names it."""
        if raw == HANDOVER:
            return Handover(1, actor(), 7)
        event = numbered(int(raw))
        return event if self.named else replace(event, file=replace(event.file, path=f"?{event.file.path}"))

    def verdict(self) -> Verdict:
        return Verdict(self.outcome, "read", Reason.ALLOWED, Mode.ALERT, 1)

    def _through(self, stage: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def step(first: Any, *rest: Any) -> Any:
            if self.breaks.get(stage) == name(first):
                raise BROKEN
            return do(first, *rest)

        return step

    def _log(self, records: Sequence[Record]) -> list[int]:
        if any(self.breaks.get("log") == name(record) for record in records):
            raise BROKEN
        self.written += map(name, records)
        return [1] * len(records)

    def _tell(self, record: Record) -> None:
        self.told.append(name(record))


def name(of: Any) -> str:
    if isinstance(of, bytes):
        return f"/data/{int(of)}" if of != HANDOVER else "Handover"
    event = of.event if isinstance(of, Record) else of
    return event.file.path if isinstance(event, Open) else type(event).__name__


def raws(count: int) -> Iterator[bytes]:
    return (b"%d" % number for number in range(count))


def paths(count: int) -> list[str]:
    return [f"/data/{number}" for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_everything_is_written_in_the_order_in_which_it_came(count: int) -> None:
    house = House()
    house.pipeline.take(raws(count))
    assert house.written == paths(count)
    house.pipeline.settle()
    assert house.remembered == [numbered(number).flow for number in range(count)]


@pytest.mark.parametrize("stage", ["decode", "locate", "judge", "log"])
def test_an_error_before_it_is_written_costs_that_event_alone(stage: str) -> None:
    house = House(**{stage: "/data/3"})
    house.pipeline.take(raws(8))
    assert house.written == [path for path in paths(8) if path != "/data/3"]
    assert (house.pipeline.failed, house.errors) == (1, [BROKEN])


@pytest.mark.parametrize("stage", ["first", "second", "novel"])
def test_an_error_after_it_is_written_costs_that_step_alone(stage: str) -> None:
    house = House(**{stage: "/data/3"})
    house.pipeline.take(raws(8))
    assert house.written == paths(8)
    assert house.told.count("finding") == (7 if stage == "second" else 8)
    assert (house.pipeline.failed, house.errors) == (1, [BROKEN])


def test_an_output_has_a_record_right_after_the_one_before_it() -> None:
    house = House()
    house.pipeline.take(raws(2))
    assert house.told == ["/data/0", "finding", "/data/1", "finding"]


def test_a_handover_in_the_middle_of_a_batch_names_what_follows_it() -> None:
    house = House()
    house.named = False
    house.pipeline.take([b"0", HANDOVER, b"1"])
    assert house.written == ["?/data/0", "Handover", "/data/1"]
    house.pipeline.settle()
    assert house.remembered == [numbered(1).flow]


def test_what_violates_a_policy_is_watched() -> None:
    house = House()
    house.outcome = Outcome.VIOLATION
    house.pipeline.take(raws(2))
    house.pipeline.settle()
    assert (house.watched, house.remembered) == ([numbered(0).flow, numbered(1).flow], [])


def test_what_the_log_had_no_room_for_is_not_remembered() -> None:
    house = House(log="/data/0")
    house.pipeline.take(raws(2))
    house.pipeline.settle()
    assert house.remembered == [numbered(1).flow]
    assert house.pipeline.unwritten == 1
