"""What watching costs the watched: CPU of the smallest deeds, with the agent over without it."""

from collections.abc import Iterator
from functools import partial

from bench.rounds import Pair, Work, cpu_ratios, in_turns, microseconds
from bench.rows import Row, Target, at_most, row
from bench.shop import Sample, Shop, bulk
from tests.containers.runc import Box

# name, work, how often, target
WORKS: tuple[tuple[str, str, int, Target | None], ...] = (
    ("open+close, 2000 files in turn", "open-cold", 400_000, at_most(1.25)),
    ("open+close, one file", "open-hot", 400_000, at_most(1.10)),
    ("exec", "exec", 1500, at_most(1.05)),
    ("connect, loopback", "connect", 20_000, at_most(1.05)),
    ("datagram, loopback", "datagram", 100_000, None),
    ("fork", "fork", 3000, None),
    ("null system call", "null", 3_000_000, None),
)


def measure(shop: Shop) -> Iterator[Row]:
    """One row a work."""
    works: dict[str, Work] = {name: partial(_run, shop.scaled(count), work) for name, work, count, _ in WORKS}
    pairs = in_turns(shop, works)
    for name, _, _, target in WORKS:
        yield row(f"{name}: its CPU", cpu_ratios(pairs[name]), "times", target, _note(pairs[name]))


def _run(count: int, work: str, box: Box) -> Sample:
    return bulk(box, work, count)


def _note(pairs: list[Pair]) -> str:
    without, with_ = zip(*pairs, strict=True)
    return f"{microseconds(list(without)):.2f} → {microseconds(list(with_)):.2f} µs"
