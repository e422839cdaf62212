"""With and without the agent, in turns.

    round 1: without, with    round 2: with, without    round 3: without, with …

so that whatever drifts on the machine weighs on both alike. Neighbours of the same kind share an agent, and so its start.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TypeVar

from bench.agent import Agent
from bench.machine import wait_until_alone
from bench.shop import Sample, Shop
from tests.containers.runc import Box
from tests.containers.spec import Recipe

ALONE_S = 5.0

Work = Callable[[Box], Sample]
Pair = tuple[Sample, Sample]  # without, with
Around = Callable[[str, Agent, Box], AbstractContextManager[None]]
Hooks = Callable[[], AbstractContextManager[object]]
T = TypeVar("T")


def in_turns(
    shop: Shop, works: Mapping[str, Work], recipe: Recipe | None = None, around: Around | None = None
) -> dict[str, list[Pair]]:
    """Each work with and without the agent, as often as there are rounds; all works of a turn in one fresh container.

    `around` is entered around each work that the agent watches.
    """

    def watched(name: str, agent: Agent, box: Box) -> Sample:
        with around(name, agent, box) if around else nullcontext():
            return works[name](box)

    return _rounds(shop, works, shop.agent, watched, recipe)


def with_and_without(shop: Shop, works: Mapping[str, Work], hooks: Hooks, recipe: Recipe | None = None) -> dict[str, list[Pair]]:
    """The same for anything else that may be in the kernel or not."""
    return _rounds(shop, works, hooks, lambda name, _, box: works[name](box), recipe)


def _rounds(
    shop: Shop,
    works: Mapping[str, Work],
    make: Callable[[], AbstractContextManager[T]],
    watched: Callable[[str, T, Box], Sample],
    recipe: Recipe | None,
) -> dict[str, list[Pair]]:
    pairs: dict[str, list[Pair]] = {name: [] for name in works}
    held: list[T] = []  # what is in the kernel at this moment, if it is

    def arm() -> dict[str, Sample]:
        with shop.box(recipe) as box:
            return {name: watched(name, held[0], box) if held else work(box) for name, work in works.items()}

    with ExitStack() as stack:
        _alone()
        for number in range(shop.rounds):
            one = arm()
            _turn(stack, held, make)
            two = arm()
            without, with_ = (one, two) if held else (two, one)
            for name in works:
                pairs[name].append((without[name], with_[name]))
            _progress(number + 1, shop.rounds)
    return pairs


def _turn(stack: ExitStack, held: list[T], make: Callable[[], AbstractContextManager[T]]) -> None:
    if not held:
        held.append(stack.enter_context(make()))
        return
    held.clear()
    stack.pop_all().close()
    _alone()


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
