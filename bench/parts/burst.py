"""A million opens, 200,000 connects, 20,000 execs at once: what the agent takes for them, and whether its log holds them all."""

from collections.abc import Iterator

from bench.agent import Agent
from bench.rows import Row, at_most, exactly, one
from bench.shop import Shop, bulk
from tests.containers.runc import Box

OPENS, CONNECTS, EXECS = 1_000_000, 200_000, 20_000
PROGRAM = "/usr/bin/quiet"


def measure(shop: Shop) -> Iterator[Row]:
    """Each burst with an agent of its own."""
    with shop.agent() as agent, shop.box() as box:
        yield from _opens_and_connects(shop, agent, box)
    with shop.agent() as agent, shop.box() as box:
        yield from _execs(shop, agent, box)


def _opens_and_connects(shop: Shop, agent: Agent, box: Box) -> Iterator[Row]:
    opens, connects = shop.scaled(OPENS), shop.scaled(CONNECTS)
    agent.settle()
    before_s = agent.cpu_s()
    bulk(box, "open-cold", opens)
    bulk(box, "connect", connects)
    tally = agent.settle()
    said, spent_s = tally.of(box.cgroup_id), agent.cpu_s() - before_s
    note = f"{tally.others(box.cgroup_id)} records of other containers"
    yield one(f"{opens:,} opens and {connects:,} connects: agent's CPU", spent_s, "s", at_most(0.3), note)
    yield one(
        "lost", sum(tally.lost.values()), "", exactly(0), ", ".join(f"{count} {place}" for place, count in tally.lost.items())
    )
    yield one("opens in records and counts, of those done", said.happened("open", "/data/") / opens, "", exactly(1))
    seen = said.happened("net", direction="egress")
    yield one("connects in records and counts, of those done", seen / connects, "", exactly(1))


def _execs(shop: Shop, agent: Agent, box: Box) -> Iterator[Row]:
    execs = shop.scaled(EXECS)
    agent.settle()
    before_s = agent.cpu_s()
    bulk(box, "exec", execs, PROGRAM)
    tally = agent.settle()
    said, spent_s = tally.of(box.cgroup_id), agent.cpu_s() - before_s
    note = f"exec and exit written; {tally.others(box.cgroup_id)} records of other containers"
    yield one(f"{execs:,} execs: agent's CPU for each", spent_s / execs * 1e6, "µs", at_most(60), note)
    yield one("exec records, of those done", said.programs[PROGRAM] / execs, "", exactly(1))
    yield one("lost", sum(tally.lost.values()), "", exactly(0))
