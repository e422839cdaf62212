"""Work that does something new all the time, where counting repeats does not help."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from bench import toolbox
from bench.agent import Agent
from bench.rounds import Pair, Work, cpu_ratios, in_turns, wall_ratios
from bench.rows import Row, exactly, row
from bench.shop import Sample, Shop, bulk
from tests.containers.runc import Box
from tests.containers.spec import Recipe

ROUNDS = 3  # at most: each takes a minute
# Beside thirty sleepers, so that ps has something to show.
RECIPE = Recipe(args=("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 99999 & sleep 99999 & sleep 99999 & done; wait"))
WORKS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "untar of 20,000 files": ("exec", 1, ("/usr/bin/tar", "-x", "-f", "/archive.tar", "-C", "/opt")),
    "20,000 temporary files": ("temp", 20_000, ("/tmp",)),  # noqa: S108 - in the container
    "100 times ps": ("exec", 100, ("/usr/bin/ps", "-ef")),
    "a C build of 61 files": ("exec", 1, ("/usr/bin/make", "-s", "-j2", "-C", "/sources", "CC=gcc")),
    "git checkout of 3,000 files": ("exec", 1, ("/usr/bin/git", "-C", "/repository", "checkout", "-q", "one")),
}


@dataclass
class Told:
    """What the agent made of one work, round by round."""

    cpu_s: list[float] = field(default_factory=list)
    itemised: list[int] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def measure(shop: Shop) -> Iterator[Row]:
    """Four rows a work: the workload's CPU and wall time, the agent's CPU, and what is lost."""
    told: defaultdict[str, Told] = defaultdict(Told)

    @contextmanager
    def around(name: str, agent: Agent, box: Box) -> Iterator[None]:
        with _told(told[name], agent, box):
            yield

    works: dict[str, Work] = {name: partial(_run, *work) for name, work in WORKS.items()}
    rounds = min(shop.rounds, ROUNDS)
    pairs = in_turns(replace(shop, workshop=toolbox.make(shop.workshop), rounds=rounds), works, RECIPE, around)
    for name in WORKS:
        yield from _rows(name, pairs[name], told[name])


def _run(work: str, count: int, more: tuple[str, ...], box: Box) -> Sample:
    return bulk(box, work, count, *more)


@contextmanager
def _told(told: Told, agent: Agent, box: Box) -> Iterator[None]:
    """The agent's CPU and log of what happens inside of it, the counts of the next sweeps included."""
    before, before_s = _sums(agent, box), agent.cpu_s()
    yield
    agent.settle()
    told.cpu_s.append(agent.cpu_s() - before_s)
    itemised, counted, lost = (now - then for now, then in zip(_sums(agent, box), before, strict=True))
    told.itemised.append(itemised)
    told.counted.append(counted)
    told.lost.append(lost)


def _sums(agent: Agent, box: Box) -> tuple[int, int, int]:
    tally = agent.tally.read()
    said = tally.of(box.cgroup_id)
    happened = sum(said.happened(kind) for kind in ("open", "change", "load"))
    counted = happened - said.records["open"] - said.records["change"] - said.records["load"]
    return said.itemised, counted, sum(tally.lost.values())


def _rows(name: str, pairs: list[Pair], told: Told) -> Iterator[Row]:
    yield row(
        f"{name}: its CPU", cpu_ratios(pairs), "times", None, f"{min(pair[0].cpu_ns for pair in pairs) / 1e9:.2f} s without"
    )
    yield row(f"{name}: its time", wall_ratios(pairs), "times")
    note = f"{sorted(told.itemised)[len(told.itemised) // 2]} records, {sorted(told.counted)[len(told.counted) // 2]} counted"
    yield row(f"{name}: agent's CPU", told.cpu_s, "s", None, note)
    yield row(f"{name}: lost", told.lost, "", exactly(0))
