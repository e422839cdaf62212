"""The composition root: makes every part from the settings, passes them to each other, and nothing else.

outputs ◄─ pipeline ◄─ loop ◄─ rings ◄─ sensor        node, policies ─► pipeline        lifecycle, novelty ─► kernel
"""

import os
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from secrets import token_bytes
from typing import Any

from agent.aliases import under_all_names
from agent.lifecycle import Kernel as ToldKernel
from agent.lifecycle import Lifecycle
from agent.node.containers import Containers, Decides
from agent.node.locate import Node
from agent.node.oci import DEFAULT_ROOTS, RuntimeRoot, Runtimes
from agent.node.processes import Processes
from agent.novelty import Novelty
from agent.outputs.findings import Findings
from agent.outputs.log import Bounds, Log
from agent.outputs.metrics import Metrics
from agent.outputs.screen import Screen, style_for
from agent.outputs.stamp import Clock
from agent.pipeline import Parts, Pipeline
from agent.policies import Policies
from agent.sensor.allowances import Allowance
from agent.sensor.decode import DecodeError, Decoder
from agent.settings import Settings
from model.event import Event, Layer
from model.origin import Container, Origin
from model.record import Finding, Record, Where
from model.redact import redact
from model.verdict import Verdict

AGENT_ID = "agent-id"
REDACTED = 256  # arguments that are known to be clean, or were cleaned; up to 4 KiB each
_AN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Outputs:
    """Whom we tell."""

    log: Log
    findings: Findings
    metrics: Metrics
    screen: Screen | None

    @property
    def not_shown(self) -> int:
        """Records that the screen had no time for."""
        return self.screen.not_shown if self.screen else 0

    def close(self, deadline_s: float) -> int:
        """Tell what is still to be told; how many records the disk did not take."""
        self.findings.close()
        unwritten = self.log.close(deadline_s)
        if self.screen:
            self.screen.close()
        return unwritten


def where(settings: Settings) -> Where:
    """This agent: its id is kept in the log's folder, so that it stays the same over restarts."""
    folder = settings.log.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = settings.node.name or os.uname().nodename
    return Where(_agent_id(folder / AGENT_ID), boot_id(), name, settings.node.cluster, settings.node.tenant)


def _agent_id(kept: Path) -> str:
    """Written in one step. What is no id, as a full disk may leave it, is replaced."""
    found = kept.read_text(errors="replace").strip() if kept.exists() else ""
    if _AN_ID.fullmatch(found):
        return found
    part = kept.with_suffix(".part")
    part.write_text(fresh := uuid.uuid4().hex)
    part.replace(kept)
    return fresh


def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")


def outputs(settings: Settings, place: Where, metrics: Metrics, clock: Clock | None = None, *, kept: bool = True) -> Outputs:
    """Log, findings, screen. Raises FolderInUseError where another agent runs on this log. `kept`: the log stays."""
    log = settings.log
    bounds = Bounds(
        log.evidence_bytes, log.activity_bytes, log.file_bytes, log.evidence_queue_bytes, log.activity_queue_bytes, log.sync_s
    )
    written = Log(log.folder, place, clock=clock, bounds=bounds, latency=metrics.latency)
    screen = None if settings.output == "none" else Screen(sys.stdout, style_for(sys.stdout, settings.output, ids=kept))

    def tell(finding: Finding) -> None:
        written.write(finding)
        metrics.write(finding)
        if screen:
            screen.write(finding)

    found = Findings(written.stamp, tell, window_s=settings.findings.window_s, limit=settings.findings.windows)
    return Outputs(written, found, metrics, screen)


def runtimes(settings: Settings) -> Runtimes:
    """The container runtimes' records on this host."""
    more = [RuntimeRoot(*root.split(":", 1)) for root in settings.node.runtime_roots]  # type: ignore[arg-type]
    return Runtimes((*DEFAULT_ROOTS, *more), host_root=str(settings.node.host_root))


def node(settings: Settings, boot: str, records: Decides, path_of: Callable[[int], str]) -> Node:
    """Containers and processes. Secrets in arguments are replaced by a keyed hash; the key lives as long as the agent."""
    containers = Containers(records, path_of, keep_ns=int(settings.node.dead_kept_s * 1e9), limit=settings.node.containers)
    return Node(containers, Processes(boot), _redactor(token_bytes(32)) if settings.redact else _as_it_is)


def _redactor(key: bytes) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """The same arguments come again and again: looking them up costs a tenth of looking at them."""
    return lru_cache(REDACTED)(lambda argv: redact(argv, key)[0])


def _as_it_is(argv: tuple[str, ...]) -> tuple[str, ...]:
    return argv


def decode_with(decoder: Decoder) -> Callable[[bytes], Event | None]:
    """The decoder as the pipeline wants it: what is no record is counted and skipped."""

    def decode(raw: bytes) -> Event | None:
        try:
            return decoder.decode(raw)
        except DecodeError:
            decoder.malformed += 1
            return None

    return decode


@dataclass(frozen=True)
class Around:
    """Where live and replay differ: what stands around the hot path."""

    kernel: ToldKernel
    novel: Callable[[Event, Origin, Verdict | None], None]
    remember: Callable[[Sequence[bytes]], None]
    watch: Callable[[Sequence[bytes]], None]
    fact: Callable[[dict[str, Any]], None]  # notes a decision in a recording
    failed: Callable[[Exception], None]  # an event raised
    more: tuple[Callable[[Record], object], ...] = ()


def pipeline(decoder: Decoder, who: Node, policies: Policies, told: Outputs, around: Around) -> tuple[Pipeline, Lifecycle]:
    """The hot path, and what it tells of containers."""
    written = told.log

    def see(event: Event, late: bool) -> None:  # noqa: FBT001 - as the pipeline
        path.see(event, late)

    policies.offset_ns = told.log.stamp.clock.offset_ns
    life = Lifecycle(who, around.kernel, see, around.fact)
    screens = (told.screen.write,) if told.screen else ()

    path = Pipeline(
        Parts(
            decode=decode_with(decoder),
            notice=life.notice,
            locate=who.locate,
            hold=life.hold,
            judge=under_all_names(policies.judge, who.containers),
            record=written.stamp.record,
            log=written.write_all,
            outputs=(told.metrics.write, *screens, told.findings.write, *around.more),
            novel=around.novel,
            taken=written.taken,
            failed=around.failed,
            remember=around.remember,
            watch=around.watch,
        )
    )
    return path, life


def novelty(policies: Policies, answer: Callable[..., bool], answer_network: Callable[..., bool]) -> Novelty:
    """Asks the policies whether a folder or a network can be answered for as a whole."""

    def uniform(container: Container, verb: str, folder: str, layer: Layer) -> Verdict | None:
        return policies.compiled(container).uniform(verb, folder, layer)

    def uniform_network(container: Container, verb: str, network: Any, port: int, protocol: int) -> Verdict | None:  # noqa: ANN401
        return policies.compiled(container).uniform_network(verb, network, port, protocol)

    return Novelty(
        lambda origin, *rest: uniform(origin.container, *rest),
        lambda origin, *rest: uniform_network(origin.container, *rest),
        answer,
        answer_network,
    )


def allowances(settings: Settings, kinds: dict[str, int]) -> dict[int, Allowance]:
    """The settings' budgets by the sensor's number of each kind."""
    budgets = settings.budgets.model_dump()
    return {
        kinds[name]: Allowance(given["flows"], given["rate"], given["burst"]) for name, given in budgets.items() if name in kinds
    }
