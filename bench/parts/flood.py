"""Too much at once: two loops of fork+exec at full speed, and a million distinct files beside a container that goes its way."""

from collections.abc import Iterator

from bench.agent import Agent
from bench.rows import Row, at_most, exactly, one
from bench.shop import Shop, bulk
from tests.containers.runc import Box

STORM, FILES = 20_000, 1_000_000
BESIDE_OPENS, BESIDE_EXECS = 4000, 300
PROGRAM = "/usr/bin/quiet"


def measure(shop: Shop) -> Iterator[Row]:
    """Whatever is not itemised must be counted, exactly, and cost nobody else an event."""
    with shop.agent() as agent, shop.box() as box:
        yield from _storm(shop, agent, box)
    with shop.agent() as agent, shop.box() as box, shop.box() as beside:
        yield from _files(shop, agent, box, beside)


def _storm(shop: Shop, agent: Agent, box: Box) -> Iterator[Row]:
    count = shop.scaled(STORM)
    done = bulk(box, "exec-storm", count, PROGRAM)
    tally = agent.settle()
    said = tally.of(box.cgroup_id)
    note = f"{count / done.wall_ns * 1e9:.0f} a second; {said.programs[PROGRAM]} itemised, {said.over['exec']} counted"
    yield one(
        "execs of two loops in records and counts, of those done",
        (said.programs[PROGRAM] + said.over["exec"]) / count,
        "",
        exactly(1),
        note,
    )
    yield one("lost in the storm", sum(tally.lost.values()), "", exactly(0))


def _files(shop: Shop, agent: Agent, box: Box, beside: Box) -> Iterator[Row]:
    count = shop.scaled(FILES)
    agent.settle()
    before_s = agent.cpu_s()
    with beside.popen("/bin/sh", "-c", f"bulk open-cold {BESIDE_OPENS}; bulk exec {BESIDE_EXECS}") as running:
        bulk(box, "temp", count, "/opt")
        running.communicate()
    tally = agent.settle()
    said, other = tally.of(box.cgroup_id), tally.of(beside.cgroup_id)
    creates = said.happened("open", "/opt/")
    note = f"{said.records['open']} opens and {said.records['change']} changes itemised"
    yield one(f"{count:,} distinct files: opens in records and counts, of those done", creates / count, "", exactly(1), note)
    yield one(f"{count:,} distinct files: agent's CPU for each", (agent.cpu_s() - before_s) / count * 1e6, "µs")
    yield one("lost in the flood", sum(tally.lost.values()), "", exactly(0))
    yield one("records beyond the budget", max(0, said.records["open"] - _budget(agent)), "", exactly(0))
    whole = (other.happened("open", "/data/") + other.programs[PROGRAM]) / (BESIDE_OPENS + BESIDE_EXECS)
    yield one(
        "another container's events beside it, of those done", whole, "", exactly(1), f"{sum(other.over.values())} only counted"
    )
    yield one("resident after the flood", agent.resident_bytes()[0] / 2**20, "MiB", at_most(100))


def _budget(agent: Agent) -> float:
    """Opens that a container may have itemised by now: the burst, and the rate since the start."""
    return 4000 + 200 * agent.age_s
