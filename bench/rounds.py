"""With and without the agent, in turns.

    round 1: without, with    round 2: with, without    round 3: without, with …

so that whatever drifts on the machine weighs on both alike. Neighbours of the same kind share an agent, and so its start.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from bench.agent import Agent
from bench.machine import wait_until_alone
from bench.shop import Sample, Shop
from tests.containers.runc import Box
from tests.containers.spec import Recipe

ALONE_S = 60.0

Work = Callable[[Box], Sample]
Pair = tuple[Sample, Sample]  # without, with
Seen = Callable[[str, Agent, Box], None]


def in_turns(shop: Shop, works: Mapping[str, Work], recipe: Recipe | None = None) -> dict[str, list[Pair]]:
    """Each work in a fresh container, with and without the agent, as often as there are rounds."""
    pairs: dict[str, list[Pair]] = {name: [] for name in works}
    with ExitStack() as stack:
        watched = False
        _alone()
        for number in range(shop.rounds):
            one = _arm(shop, works, recipe)
            watched = _turn(shop, stack, not watched)
            two = _arm(shop, works, recipe)
            without, with_ = (one, two) if watched else (two, one)
            for name in works:
                pairs[name].append((without[name], with_[name]))
            _progress(number + 1, shop.rounds)
    return pairs


def _turn(shop: Shop, stack: ExitStack, watched: bool) -> bool:  # noqa: FBT001 - what it gives back
    if watched:
        stack.enter_context(shop.agent())
    else:
        stack.pop_all().close()
        _alone()
    return watched


def _arm(shop: Shop, works: Mapping[str, Work], recipe: Recipe | None) -> dict[str, Sample]:
    with shop.box(recipe) as box:
        return {name: work(box) for name, work in works.items()}


def _alone() -> None:
    if not wait_until_alone(ALONE_S):
        sys.stderr.write("  another agent's programs are in the kernel: ratios will look better than they are\n")


def _progress(done: int, of: int) -> None:
    sys.stderr.write(f"  round {done} of {of}\n")


def cpu_ratios(pairs: list[Pair]) -> list[float]:
    """CPU of the workload with the agent over without, round by round."""
    return [with_.cpu_ns / without.cpu_ns for without, with_ in pairs]


def wall_ratios(pairs: list[Pair]) -> list[float]:
    """Wall time likewise."""
    return [with_.wall_ns / without.wall_ns for without, with_ in pairs]


def microseconds(samples: list[Sample]) -> float:
    """CPU for one, of the cheapest sample: what it costs where nothing interferes."""
    return min(sample.cpu_ns / sample.count for sample in samples) / 1000
