"""Maps hold what is written, and are read by thousands."""

from collections.abc import Iterator

import pytest

from agent.sensor.loader import Sensor
from agent.sensor.maps import Map


@pytest.fixture
def map_(sensor: Sensor) -> Iterator[Map]:
    """One that nothing else writes, and is empty after."""
    found = sensor.map("whos")
    mine = [number.to_bytes(8, "big") for number in range(10_000)]
    yield found
    for key in mine:
        found.delete(key)


def value(map_: Map, number: int) -> bytes:
    return number.to_bytes(map_.value_bytes, "big")


def test_what_is_put_is_got_until_it_is_deleted(map_: Map) -> None:
    key = bytes(8)
    map_.put(key, value(map_, 5))
    assert map_.get(key) == value(map_, 5)
    assert map_.delete(key)
    assert map_.get(key) is None
    assert not map_.delete(key)


def test_a_new_entry_does_not_replace_another(map_: Map) -> None:
    map_.put(bytes(8), value(map_, 5), new=True)
    with pytest.raises(FileExistsError):
        map_.put(bytes(8), value(map_, 6), new=True)


def test_a_walk_gives_every_entry_however_many_there_are(map_: Map) -> None:
    for number in range(9000):
        map_.put(number.to_bytes(8, "big"), value(map_, number))
    found = {int.from_bytes(key, "big"): held for key, held in map_.items()}
    assert all(found[number] == value(map_, number) for number in range(9000))


@pytest.mark.parametrize("key", [b"", bytes(7), bytes(9)])
def test_a_key_of_another_size_never_reaches_the_kernel(map_: Map, key: bytes) -> None:
    with pytest.raises(ValueError, match="where the map has 8"):
        map_.get(key)
