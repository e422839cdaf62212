"""From the exec in the kernel to its record in the file, at a steady pace."""

from collections.abc import Iterator

from bench.agent import Agent
from bench.rows import Row, at_most, exactly, one
from bench.shop import Shop
from bench.watch import Watch
from tests.containers.runc import Box

PACES = {100: 2000, 1000: 10_000}  # execs a second, execs
PROGRAM = "/usr/bin/quiet"


def measure(shop: Shop) -> Iterator[Row]:
    """Median and 99th percentile at each pace."""
    with shop.agent() as agent, shop.box() as box:
        agent.settle()
        for pace, count in PACES.items():
            yield from _at(agent, box, pace, shop.scaled(count))


def _at(agent: Agent, box: Box, pace: int, count: int) -> Iterator[Row]:
    watch, before_s = Watch(agent.log), agent.cpu_s()
    with box.popen("/usr/bin/bulk", "exec-paced", str(count), str(pace)) as running:
        watch.until(lambda: running.poll() is not None)
        running.communicate()
    spent_s = agent.cpu_s() - before_s
    said = agent.settle().of(box.cgroup_id)
    took = watch.latencies_s("exec", box.cgroup_id)
    name, note = f"{pace:,} execs/s: from kernel to file", f"{len(took)} execs, agent's CPU {spent_s / count * 1e6:.0f} µs each"
    yield one(f"{name}, median", took[len(took) // 2] * 1000, "ms", at_most(5), note)
    yield one(
        f"{name}, 99th percentile", took[len(took) * 99 // 100] * 1000, "ms", at_most(25), f"longest {took[-1] * 1000:.1f} ms"
    )
    yield one(f"{pace:,} execs/s: lost", sum(said.lost.values()), "", exactly(0))
