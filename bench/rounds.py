"""With and without the agent, in turns.

    round 1: without, with    round 2: with, without    round 3: without, with …

so that whatever drifts on the machine weighs on both alike. Neighbours of the same kind share an agent, and so its start.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext

from bench.agent import Agent
from bench.machine import wait_until_alone
from bench.shop import Sample, Shop
from tests.containers.runc import Box
from tests.containers.spec import Recipe

ALONE_S = 5.0

Work = Callable[[Box], Sample]
Pair = tuple[Sample, Sample]  # without, with
Around = Callable[[str, Agent, Box], AbstractContextManager[None]]


def in_turns(
    shop: Shop, works: Mapping[str, Work], recipe: Recipe | None = None, around: Around | None = None
) -> dict[str, list[Pair]]:
    """Each work with and without the agent, as often as there are rounds; all works of a turn in one fresh container.

    `around` is entered around each work that the agent watches.
    """
    pairs: dict[str, list[Pair]] = {name: [] for name in works}
    with ExitStack() as stack:
        agent: Agent | None = None
        _alone()
        for number in range(shop.rounds):
            one = _arm(shop, works, recipe, agent, around)
            agent = _turn(shop, stack, agent)
            two = _arm(shop, works, recipe, agent, around)
            without, with_ = (one, two) if agent else (two, one)
            for name in works:
                pairs[name].append((without[name], with_[name]))
            _progress(number + 1, shop.rounds)
    return pairs


def _turn(shop: Shop, stack: ExitStack, agent: Agent | None) -> Agent | None:
    if agent is None:
        return stack.enter_context(shop.agent())
    stack.pop_all().close()
    _alone()
    return None


def _arm(
    shop: Shop, works: Mapping[str, Work], recipe: Recipe | None, agent: Agent | None, around: Around | None
) -> dict[str, Sample]:
    samples = {}
    with shop.box(recipe) as box:
        for name, work in works.items():
            with around(name, agent, box) if around and agent else nullcontext():
                samples[name] = work(box)
    return samples


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
