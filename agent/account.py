"""The agent's account of itself: the numbers for metrics, and everything that `vedette status` shows."""

import os
import time
from typing import TYPE_CHECKING, Any

from agent.outputs.metrics import Snapshot

if TYPE_CHECKING:
    from agent.live import Agent


def snapshot(agent: "Agent") -> Snapshot:
    """The numbers that metrics can't count themselves."""
    logs, sizes = agent.outputs.log.state(), agent.watching.sizes
    live = agent.node.containers.live()
    named = sum(1 for container in live if container.runtime != "unidentified")
    filled = agent.flows.losses.entries()
    return Snapshot(
        known_hits=agent.flows.losses.counters()["hits"],
        maps={name: (filled.get(name, 0), size) for name, size in sizes.entries.items() if name in filled},
        rings={name: (int(fill * sizes.rings[name]), sizes.rings[name]) for name, fill in agent.source.fill().items()},
        containers={"identified": named, "unidentified": len(live) - named},
        policy_generation=agent.policies.generation,
        policy_errors=len(agent.policies.problems),
        lost={(f"log.{name}", kind): count for name, one in logs.items() for kind, count in one.lost.items()},
        log_bytes={name: one.disk_bytes for name, one in logs.items()},
        ready=not agent.health.unready(),
    )


def status(agent: "Agent") -> dict[str, Any]:
    """Plain values, for JSON."""
    sensor, unready = agent.watching, agent.health.unready()
    return {
        "version": agent.version,
        "pid": os.getpid(),
        "time": time.time(),
        "up_s": round(time.monotonic() - agent.started_s, 1),
        "ready": not unready,
        "unready": unready,
        "tier": 2,
        "hooks": [vars(hook) for hook in sensor.hooks],
        "policies": _policies(agent),
        "containers": [
            {"id": one.id, "name": one.name, "image": one.image, "runtime": one.runtime, "cgroup": one.cgroup_path}
            for one in agent.node.containers.live()
        ],
        "losses": {f"{place} {what}".strip(): count for (place, what), count in agent.metrics.lost().items()},
        "counters": agent.flows.losses.counters(),
        "memory": {"budget_bytes": agent.settings.sensor.memory_bytes, "planned_bytes": sensor.sizes.memory_bytes()},
        "log": _logs(agent),
        "own": agent.metrics.own(),
        "metrics": agent.metrics_address,
    }


def _policies(agent: "Agent") -> dict[str, Any]:
    policies = agent.policies
    return {"generation": policies.generation, "count": len(policies), "errors": [str(each) for each in policies.problems]}


def _logs(agent: "Agent") -> dict[str, Any]:
    return {
        name: {"bytes": one.disk_bytes, "written": one.written, "lost": one.lost, "error": one.error}
        for name, one in agent.outputs.log.state().items()
    }
