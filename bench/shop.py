"""What a run of the bench has at hand: containers, agents, and how much is to be done."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.agent import Agent
from tests.containers.runc import Box
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop

PATIENCE_S = 900.0


class Sample(Struct, frozen=True):
    """What one run of a workload took: its own CPU and wall time, the kernel's part in its name included."""

    count: int
    cpu_ns: int
    wall_ns: int


@dataclass
class Shop:
    """`quick`: a tenth of the work, fewer rounds, for development. Its values are noise."""

    workshop: Workshop
    quick: bool
    rounds: int

    def scaled(self, count: int) -> int:
        """So much of it."""
        return max(1, count // 10) if self.quick else count

    @contextmanager
    def agent(self, policies: Path | None = None) -> Iterator[Agent]:
        """A fresh agent with a fresh log."""
        settings = {"VEDETTE_SENSOR_SWEEP_INTERVAL_S": "1"} if self.quick else {}
        folder = Path(tempfile.mkdtemp(prefix="agent-", dir=self.workshop.folder))
        with Agent(folder, self.workshop.runtime_root, policies, settings) as agent:
            yield agent

    def box(self, recipe: Recipe | None = None) -> Box:
        """A container, not yet started."""
        return Box(self.workshop, recipe)


def bulk(box: Box, work: str, count: int, *more: str) -> Sample:
    """Run a work of bench/work in it. Raises RuntimeError if a part of it failed."""
    done = box.exec("/usr/bin/bulk", work, str(count), *more, timeout_s=PATIENCE_S)
    facts: list[dict[str, Any]] = [fact for fact in done.facts if fact.get("work") == work]
    if done.code or not facts or facts[0]["failed"]:
        raise RuntimeError(f"bulk {work} {count} failed ({done.code}): {json.dumps(facts)} {done.err[-2000:]}")
    return Sample(facts[0]["count"], facts[0]["cpu_ns"], facts[0]["wall_ns"])
