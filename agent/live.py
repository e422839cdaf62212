"""The agent on a live host: start it in the order in which nothing is missed, run it, end it.

policies ─► load and attach ─► self-test ─► stock-taking ─► ready ─► turns … ─► SIGTERM: drain, last sweep, close
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from agent import account, app, down
from agent.aliases import under_all_names
from agent.failures import Failures
from agent.hashing import Hashing
from agent.kernel import LiveKernel
from agent.node import cgroups
from agent.outputs.daemonlog import Sparse
from agent.outputs.health import Health
from agent.outputs.metrics import Metrics, Snapshot
from agent.outputs.server import Server, pages
from agent.outputs.stamp import boot_ns
from agent.policies import Change, Found, Policies, find
from agent.programs import Programs, running
from agent.rejudge import Done, Judge, Rejudging
from agent.rejudge import Parts as Rejudged
from agent.remembered import Remembered
from agent.sensor import hooks, layout, selftest
from agent.sensor.decode import Decoder
from agent.sensor.flows import Flows
from agent.sensor.loader import Sensor
from agent.sensor.prepare import Settings as SensorSettings
from agent.sensor.recording import Header, Recorder
from agent.sensor.reports import Reports
from agent.sensor.source import Channel
from agent.sensor.variables import CODE_VARIABLES
from agent.settings import Settings, SettingsError
from agent.status import StatusFile
from agent.tasks import Tasks
from agent.turns import Timer, Turns
from agent.version import version
from agent.watching import Watcher
from model.event import Event, Gap
from model.origin import Origin
from model.problem import Problem
from model.verdict import Verdict

NEEDS = ("policies", "sensor", "self-test", "stock-taking")
KINDS = {name.removeprefix("KIND_").lower(): number for name, number in vars(layout).items() if name.startswith("KIND_")}
RECORDING_BYTES = 1 << 30
DUE_SOON_NS = 500_000_000  # the loop must not sleep past what the node has to do


class Agent:
    """One run of the agent. `start` raises what keeps it from watching; `close` leaves nothing in the kernel."""

    def __init__(self, settings: Settings, logger: FilteringBoundLogger, record: Path | None = None) -> None:
        self.settings, self._logger = settings, logger
        self.version = version()
        self._sparse = Sparse(logger)
        self.place = app.where(settings)
        self._seen_ns = down.last_sign_ns(settings.log.folder, self.place.boot)
        self.metrics = Metrics(self.snapshot)
        self.outputs = app.outputs(settings, self.place, self.metrics)
        self._made = ExitStack()  # what is to be ended, last made first; an error in one keeps no other from ending
        self._made.callback(self._close_outputs)
        self._status = StatusFile(settings.log.folder)
        self._made.callback(self._status.close)
        self.health = Health(NEEDS, stuck_s=settings.stuck_s)
        self.policies = Policies([settings.policies.folder], self.outputs.log.stamp.clock.offset_ns)
        self.watcher = Watcher([settings.policies.folder], settings.policies.settle_s)
        try:
            self._recorder = self._open_recorder(record) if record else None
        except BaseException:
            self._made.close()  # nobody has us yet, to do it
            raise
        self.started_s = time.monotonic()
        self.sensor: Sensor | None = None
        self._server: Server | None = None
        self._turns: Turns | None = None
        self._snapshot = Snapshot()
        self._all_counts_s = 0.0  # from then on the next sweep tells of every count that moved

    def _open_recorder(self, path: Path) -> Recorder:
        stamp = self.outputs.log.stamp
        recorder = Recorder(path, Header(self.place.boot, stamp.clock.offset_ns, CODE_VARIABLES), RECORDING_BYTES)
        self._made.callback(self._close_recorder, recorder)
        return recorder

    def _close_recorder(self, recorder: Recorder) -> None:
        recorder.close()
        if recorder.dropped:
            why = recorder.problem or "the disk was too slow"
            self._logger.warning("the recording is not whole", records_missing=recorder.dropped, why=why)

    @property
    def not_recorded(self) -> int:
        """Raw records that a recording was to hold and does not."""
        return self._recorder.dropped if self._recorder else 0

    def start(self, ended: Callable[[], bool]) -> bool:
        """Load, attach, test, take stock; then it is ready. False: it was to end before that."""
        self._serve()
        self._made.callback(self.note, "stop", {})
        steps = (self.reload, self._open_sensor, self._build, self._answer_existing, self._test, self._take_stock)
        for step in steps:
            if ended():
                return False
            step()
        self.note("start", self._begun())
        return True

    def _begun(self) -> dict[str, Any]:
        address = self.metrics_address
        return {
            "pid": os.getpid(),
            "policies": len(self.policies),
            "missing": [hook.place for hook in self.watching.missing()],
            "log": str(self.settings.log.folder),
            "metrics": f"{address[0]}:{address[1]}" if address else "",
        }

    def _serve(self) -> None:
        metrics = self.settings.metrics
        if metrics.enabled:
            served = pages(self.metrics.exposition, self.health.sick, self.health.unready)
            where = (metrics.address, metrics.port)
            try:
                self._server = Server(served, where, connections=metrics.connections, request_s=metrics.request_s)
            except OSError as error:
                text = f"metrics: {metrics.address}:{metrics.port}: {error.strerror}\nhint: metrics.port 0 takes any free port"
                raise SettingsError(text) from error
            self._made.callback(self._server.close)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where metrics are served."""
        return self._server.address if self._server else None

    def _open_sensor(self) -> None:
        chosen = SensorSettings(
            memory_bytes=self.settings.sensor.memory_bytes,
            pending_s=self.settings.sensor.pending_s,
            without=frozenset() if self.settings.sensor.dns else hooks.DNS,
            allowances={**SensorSettings().allowances, **app.allowances(self.settings, KINDS)},
        )
        self.sensor = Sensor.open(settings=chosen)
        self._attached_ns = boot_ns()
        self._made.callback(self.sensor.close)
        self._epoch = self.policies.generation
        self.sensor.set_generation(self._epoch)
        self.health.met("sensor")

    @property
    def watching(self) -> Sensor:
        """The open sensor."""
        if self.sensor is None:
            raise RuntimeError("the sensor is not open")
        return self.sensor

    def _build(self) -> None:
        """Everything that needs the sensor."""
        sensor, tap = self.watching, self._recorder.write if self._recorder else None
        mount = str(sensor.hierarchy.path)
        self.node = app.node(
            self.settings, self.place.boot, app.runtimes(self.settings), lambda cgroup: cgroups.path_of(mount, cgroup)
        )
        self.hashing = Hashing(self.node, self._see, self.settings)
        self._made.callback(self.hashing.close)
        self.decoder = Decoder(CODE_VARIABLES, self.node.name)
        self.reports = Reports(self.node.name)
        self.flows = Flows(sensor, self.reports, tap)
        self._made.callback(self.flows.close)
        self.source = sensor.source(tap)
        self._made.callback(self.source.close)
        self.kernel = LiveKernel(self.flows, self.node, self.policies, sensor.seed)
        self.novelty = app.novelty(self.policies, self.kernel.answer, self.kernel.answer_network)
        self.programs, self.remembered = Programs(), Remembered(self.flows)
        self.remembered.generation = self.policies.generation
        fact = self._recorder.fact if self._recorder else _nowhere
        around = app.Around(
            self.kernel,
            self._novel,
            self.remembered.settle,
            self.remembered.settle,
            fact,
            self._event_failed,
            more=(self.hashing.write, self.remembered.write, self.programs.write),
        )
        self.pipeline, self.life = app.pipeline(self.decoder, self.node, self.policies, self.outputs, around)
        self.rejudging = Rejudging(self._rejudged(), self.remembered, self.outputs.findings, self._is_judged)
        self.failures = Failures({"agent.decode": self._unread, "agent.pipeline": lambda: self.pipeline.failed})
        self._made.callback(self._look_again)

    def _novel(self, event: Event, origin: Origin, verdict: Verdict | None) -> None:
        self.remembered.see(event, origin, verdict)
        self.novelty.see(event, origin, verdict)

    def _rejudged(self) -> Rejudged:
        """What judging again needs of the others."""
        containers = self.node.containers

        def before(change: Change) -> Judge:
            return under_all_names(change.previous.judge, containers)

        return Rejudged(
            judge=under_all_names(self.policies.judge, containers),
            judge_by=before,
            container=containers.of,
            guard=self.life.protect,
            prefixes=lambda: self.kernel.ask_prefixes(self.novelty.stands),
            sweep=self._counts_of_violations,
            see=self.pipeline.see,
            again=self.pipeline.again,
            pending=lambda: self.pipeline.pending,
            count=self.flows.count,
            known=self.flows.known,
            running=self._running,
            forget_all=self._forget_all,
            now_ns=boot_ns,
        )

    def _running(self) -> Iterator[tuple[Event, Origin] | None]:
        return running(self.watching.stock_again(), self.decoder.take, self.node, self.programs, self.pipeline.take)

    def _counts_of_violations(self) -> list[Event]:
        swept = self.flows.sweep(whole=False)
        return [*swept.firsts, *swept.counts]

    def _forget_all(self) -> None:
        """Nothing that the kernel knows counts any more: every flow is another one, and nothing is answered for as a whole."""
        self._epoch += 1
        self.watching.set_generation(self._epoch)
        for count in self.kernel.ask_prefixes(lambda *_: False):
            if count is not None:
                self.pipeline.see(count)

    def _unread(self) -> int:
        return self.decoder.malformed + self.reports.malformed

    def _look_again(self) -> None:
        """At the end: what is held, what was counted since the last sweep."""
        self._all_counts_s = 0.0
        self.rejudging.close()
        self.life.close()
        if self._turns and self._turns.undrained:
            self.pipeline.see(Gap(boot_ns(), 0, "agent.end", "", self._turns.undrained, boot_ns()))
        self.sweep()
        self.pipeline.settle()

    def _see(self, event: Event) -> None:
        self.pipeline.see(event)

    def _test(self) -> None:
        """What the last agent of this boot has not seen is said; the hooks are shown to work."""
        if self._seen_ns is not None:
            self.pipeline.see(down.gap(self._seen_ns, self._attached_ns))
        others = selftest.check(self.watching, self.flows, self.source)
        self.health.met("self-test")
        self.pipeline.take(others)

    def _take_stock(self) -> None:
        self.watching.take_stock(self._between)
        self.health.met("stock-taking")

    def _answer_existing(self) -> None:
        """Name the containers that run already, before the stock-taking asks whose a process is."""
        self.node.containers.stock(cgroups.existing(str(self.watching.hierarchy.path)), boot_ns())
        self.life.answer()

    def _between(self, standing: list[bytes]) -> None:
        self.pipeline.take(self.source.poll(0))
        if standing and self._recorder:
            self._recorder.write(Channel.URGENT, standing)
        self.pipeline.take(standing)

    def turns(self) -> Turns:
        """The loop, with what time brings."""
        timers = [
            Timer("node", 0.01, lambda: self.life.tick(boot_ns()), self._node_is_due),
            Timer("findings", 1.0, lambda: self.outputs.findings.tick(boot_ns())),
            Timer("health", 1.0, self.health.beat),
            Timer("clock", 0.3, self.flows.renew_clock, lambda: not self.flows.ticks.known),
            Timer("hashes", 0.05, self.hashing.tick, lambda: self.hashing.busy),
            Timer("policies", 0.0, self._put_in_force, lambda: self.watcher.waiting),
            Timer("rejudging", 0.0, self.rejudging.step, lambda: self.rejudging.can_step),
            Timer("sweep", self.settings.sensor.sweep_interval_s, self.sweep),
            Timer("heartbeat", self.settings.heartbeat_s, self._heartbeat),
        ]
        self._turns = Turns(self.source, self.pipeline, timers, self._failed)
        return self._turns

    def _node_is_due(self) -> bool:
        due_ns = self.node.containers.due_ns()
        return due_ns is not None and due_ns <= boot_ns() + DUE_SOON_NS

    def _failed(self, timer: str, error: Exception) -> None:
        self._logger.error("a timer failed", timer=timer, exc_info=error)

    def _event_failed(self, error: Exception) -> None:
        self._sparse.warning(f"an event failed: {type(error).__name__}", exc_info=error)

    def sweep(self) -> None:
        """Counts of what is known, what was not itemised, containers that ended; then status and metrics are anew."""
        swept = self.flows.sweep(self.settings.sensor.idle_flow_s, whole=self._is_time_for_all_counts())
        for event in (*swept.firsts, *swept.counts, *self.flows.losses.read(), *self.failures.read()):
            self.pipeline.see(event)
        self.life.sweep()
        self.hashing.rest()
        self._tell_disk()
        self._snapshot = account.snapshot(self)
        self._status.write(account.status(self))

    def _is_time_for_all_counts(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._all_counts_s:
            return False
        self._all_counts_s = now_s + self.settings.sensor.all_counts_s
        return True

    def _tell_disk(self) -> None:
        """What can't be written is said where no disk is needed: on standard error, by /readyz and /metrics."""
        for name, one in self.outputs.log.state().items():
            if one.error:
                self._sparse.warning(f"the log {name} can't be written", why=one.error)
                self.health.missing(f"log {name}", one.error)
            else:
                self.health.met(f"log {name}")
        if self._recorder and self._recorder.problem:
            self._sparse.warning("the recording has ended", why=self._recorder.problem)

    def reload(self) -> None:
        """Read the policies, here and now: at the start, before anything is judged."""
        self._take(find(self.policies.folders))

    def _put_in_force(self) -> None:
        """What the watcher has read."""
        found = self.watcher.taken()
        change = self._take(found) if found else None
        if change is not None:
            self.rejudging.begin(change)

    def _take(self, found: Found) -> Change | None:
        """A bad file keeps the old policies in force, and the agent is no less ready for it."""
        before = self.policies.problems
        change = self.policies.take(found)
        if change is not None:
            self.note("policies", account.change(change, len(self.policies)))
        self._tell_problems(before)
        if self.policies.generation:
            self.health.met("policies")
        return change

    def _tell_problems(self, before: Sequence[Problem]) -> None:
        """Loudly, once for each set of them."""
        if self.policies.problems and self.policies.problems != before:
            first = str(self.policies.problems[0])
            self.note("policies", {"errors": len(self.policies.problems), "first": first, "policies": len(self.policies)})
            self._logger.warning("policies have errors", count=len(self.policies.problems), first=first.partition("\n")[0])
        elif before and not self.policies.problems:
            self._logger.warning("policies have no errors any more")

    def _is_judged(self, done: Done) -> None:
        self.note("rejudged", account.rejudged(done))
        if done.failed:
            self._logger.error("judging again failed: everything is news again", why=done.failed)

    def _heartbeat(self) -> None:
        self.note("heartbeat", {"hits": self.metrics.known_hits, "containers": self._snapshot.containers})

    def note(self, kind: str, says: dict[str, Any]) -> None:
        """Something that the agent says of itself, in evidence."""
        told = self.outputs.log.stamp.note(kind, says)
        self.outputs.log.write(told)
        if self.outputs.screen:
            self.outputs.screen.write(told)

    def _close_outputs(self) -> None:
        unwritten = self.outputs.close(self.settings.shutdown_s - 1)
        if unwritten:
            self._logger.error("the disk was too slow for the end: records are not written", count=unwritten)

    def snapshot(self) -> Snapshot:
        """The numbers of the last sweep, for the scraper's thread."""
        return self._snapshot

    def close(self) -> None:
        """Drain, sweep a last time, and leave nothing in the kernel."""
        self._made.close()


def _nowhere(fact: dict[str, Any]) -> None:
    """No recording."""
    del fact


def run(agent: Agent, tasks: Tasks) -> int:
    """Start, turn, end. The exit code: 0 after a signal, 1 if an essential part failed."""
    try:
        if agent.start(tasks.ending.is_set):
            _turn(agent, tasks)
    finally:
        agent.close()
    return 1 if tasks.failed else 0


def _turn(agent: Agent, tasks: Tasks) -> None:
    tasks.add("turns", agent.turns().run, essential=True)
    tasks.add("policies", agent.watcher.run)
    tasks.start()
    tasks.wait()
    agent.watcher.stop()
    tasks.end(agent.settings.shutdown_s - 2)
