"""An agent with nothing to do: memory, CPU, and how soon after its start it writes the first event."""

import subprocess
import time
from collections.abc import Iterator

from bench.agent import Agent
from bench.rows import Row, at_most, one, row
from bench.shop import Shop, bulk
from tests.containers.runc import Box

IDLE_S, QUICK_IDLE_S = 30.0, 8.0
MIB = 1 << 20
STARTS = 3


def measure(shop: Shop) -> Iterator[Row]:
    """Idle beside one sleeping container; then after a run."""
    yield row("first event that is in the log, after the start", [_first_event_s(shop) for _ in range(STARTS)], "s", at_most(3))
    with shop.agent() as agent, shop.box() as box:
        yield from _idle(shop, agent, box)
        bulk(box, "open-cold", shop.scaled(100_000))
        bulk(box, "exec", shop.scaled(5000))
        bulk(box, "distinct", shop.scaled(20_000), "/opt")
        agent.settle()
        yield _resident("resident after a run", agent, 100)


def _idle(shop: Shop, agent: Agent, box: Box) -> Iterator[Row]:
    agent.settle()
    seen, before_s, began_s = agent.tally.others(box.cgroup_id), agent.cpu_s(), time.monotonic()
    time.sleep(QUICK_IDLE_S if shop.quick else IDLE_S)
    spent = (agent.cpu_s() - before_s) / (time.monotonic() - began_s)
    others = agent.tally.read().others(box.cgroup_id) - seen
    yield _resident("resident, idle", agent, 64)
    yield one("CPU, idle", spent * 100, "% of a core", at_most(0.3), f"{others} records of other containers")


def _resident(name: str, agent: Agent, most_mib: int) -> Row:
    own, worker = agent.resident_bytes()
    return one(name, (own + worker) / MIB, "MiB", at_most(most_mib), f"its worker's {worker / MIB:.0f} MiB included")


def _first_event_s(shop: Shop) -> float:
    """From the call of the agent to the first exec that it has in its log, of a container that executes all the time."""
    with shop.box() as box, box.popen("/usr/bin/bulk", "exec-paced", "100000", "100") as running:
        try:
            with shop.agent() as agent:
                agent.until(lambda: agent.tally.read().of(box.cgroup_id).first_exec_ns > 0, 30, "writing what a container does")
                return (agent.tally.of(box.cgroup_id).first_exec_ns - agent.begun_ns) / 1e9
        finally:
            _kill(running)


def _kill(running: "subprocess.Popen[bytes]") -> None:
    running.kill()
    running.communicate()
