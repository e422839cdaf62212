"""The agent's account of itself: the numbers for metrics, and everything that `vedette status` shows."""

import os
import time
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from agent.outputs.metrics import Snapshot
from agent.policies import Change
from agent.rejudge import RESULTS, Done

if TYPE_CHECKING:
    from agent.live import Agent

# Everything that is bounded and may be full: what that costs, and where the agent counts how many entries it has cost.
TABLES: Final = {
    "containers": (
        "Containers beyond `node.containers`: watched, but without a name.",
        "node.containers.refused",
    ),
    "processes": (
        "Running processes that were forgotten: later records name them again, but not what started them.",
        "node.processes.evicted",
    ),
    "lookups": (
        "Addresses whose name was forgotten: a connection to one carries no name.",
        "node.lookups.evicted",
    ),
    "held": (
        "Events of a container without a name that could not wait for it: written without one, and not judged.",
        "life.refused",
    ),
    "hash_jobs": ("Programs that were not hashed: too many at once.", "hashing.worker.refused"),
    "novelty": (
        "Folders and networks whose count of new entries began anew: answered for as a whole later, or never.",
        "novelty.evicted",
    ),
    "prefixes": ("Folders and networks that the kernel could not answer for.", "kernel.refused"),
    "findings": (
        "Findings without a window of their own: in the count of a flood.",
        "outputs.findings.refused",
    ),
    "finding_flows": (
        "Violating flows that were forgotten: their later repeats are counted in no finding.",
        "outputs.findings.forgotten_flows",
    ),
    "recording": ("Raw records that a recording does not hold: its disk is slow, or it is full.", "not_recorded"),
    "remembered": (
        "Known flows of which no first sight was kept: they are news again when the policies change.",
        "remembered.beyond",
    ),
    "programs": (
        "Running programs whose exec was forgotten: after a change of the policies their file alone is judged, no script.",
        "programs.evicted",
    ),
    "screen": ("Lines that a slow terminal was not shown.", "outputs.not_shown"),
}
NAMES: Final = 50  # of policies, in a note
# The same of the kernel's maps, by its own counters.
KERNEL_TABLES: Final = {
    "flows": ("Flows that the kernel had no room for: counted at their folder or network.", "map_full"),
    "whos": ("Actors that the kernel had no room for: what they do is counted at its folder or network.", "who_full"),
    "budgets": ("Budgets that the kernel had no room for: what a container did without one is a gap.", "no_budget"),
    "task_storage": ("Tasks that the kernel kept no record of: what they did is a gap.", "no_record"),
}


def tables(agent: "Agent") -> dict[str, int]:
    """What had no room so far, by table."""
    in_kernel = agent.flows.losses.counters()
    ours = {name: attrgetter(place)(agent) for name, (_, place) in TABLES.items()}
    return ours | {name: in_kernel[counter] for name, (_, counter) in KERNEL_TABLES.items()}


def snapshot(agent: "Agent") -> Snapshot:
    """The numbers that metrics can't count themselves."""
    logs, sizes = agent.outputs.log.state(), agent.watching.sizes
    live = agent.node.containers.live()
    named = sum(1 for container in live if container.runtime != "unidentified")
    filled = agent.flows.losses.entries()
    return Snapshot(
        maps={name: (filled.get(name, 0), size) for name, size in sizes.entries.items() if name in filled},
        rings={name: (int(fill * sizes.rings[name]), sizes.rings[name]) for name, fill in agent.source.fill().items()},
        containers={"identified": named, "unidentified": len(live) - named},
        policy_generation=agent.policies.generation,
        policy_errors=len(agent.policies.problems),
        policy_polling=agent.watcher.mode == "polling",
        policy_changes=agent.rejudging.changes,
        rejudged={name: agent.rejudging.totals[name] for name in RESULTS},
        rejudging_s=agent.rejudging.last_s,
        remembered=len(agent.remembered),
        lost={(f"log.{name}", kind): count for name, one in logs.items() for kind, count in one.lost.items()},
        tables=tables(agent),
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
        "held": agent.life.held,
        "hashes": agent.hashing.counts(),
        "losses": {f"{place} {what}".strip(): count for (place, what), count in agent.metrics.lost().items()},
        "tables": agent.snapshot().tables,
        "counters": agent.flows.losses.counters(),
        "memory": {"budget_bytes": agent.settings.sensor.memory_bytes, "planned_bytes": sensor.sizes.memory_bytes()},
        "log": _logs(agent),
        "own": agent.metrics.own(),
        "metrics": agent.metrics_address,
    }


def _policies(agent: "Agent") -> dict[str, Any]:
    policies, watcher, rejudging = agent.policies, agent.watcher, agent.rejudging
    return {
        "generation": policies.generation,
        "count": len(policies),
        "errors": [str(each) for each in policies.problems],
        "watched": {"by": watcher.mode, "why": watcher.why},
        "rejudging": {"busy": rejudging.busy, "changes": rejudging.changes, "last_s": round(rejudging.last_s, 3)},
        "remembered": len(agent.remembered),
    }


def change(made: Change, count: int) -> dict[str, Any]:
    """What a note says of a new set of policies. Names are ids, the first NAMES of each list; the counts are whole."""
    lists = {"added": made.added, "removed": made.removed, "changed": made.changed}
    return {
        "generation": made.generation,
        "before": made.before,
        "policies": count,
        **{word: list(names[:NAMES]) for word, names in lists.items()},
        "counts": {word: len(names) for word, names in lists.items()},
    }


def rejudged(done: Done) -> dict[str, Any]:
    """What a note says when all that was remembered and all that runs has been judged by the new set."""
    failed = {"failed": done.failed} if done.failed else {}
    return {"generation": done.change.generation, **done.results, "took_s": round(done.took_s, 3), **failed}


def _logs(agent: "Agent") -> dict[str, Any]:
    return {
        name: {"bytes": one.disk_bytes, "written": one.written, "lost": one.lost, "error": one.error}
        for name, one in agent.outputs.log.state().items()
    }
