"""The kernel's flow map as a model: states, counts and sweeps as in bpf/flow.bpf.h and answer.bpf.c; and a house around it.

Around it are the real pipeline, policies, findings, memory of flows and judging again; nothing is written to a disk.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from msgspec.structs import replace

from agent.outputs.findings import Findings
from agent.pipeline import Parts, Pipeline
from agent.policies import Change, Found, Policies, ReadPolicies
from agent.rejudge import Done, Judge, Rejudging
from agent.rejudge import Parts as Rejudged
from agent.remembered import FLOWS, Remembered
from model.event import Event, FlowCount, Session
from model.origin import Container, Origin
from model.policy import Policy
from model.record import Finding, Record
from model.verdict import Verdict
from tests.outputs.builders import stamp

BOX = Container(7, "/box", "id", "box", "", "runc")


class State(IntEnum):
    """enum flow_state"""

    PENDING = 1
    KNOWN = 2
    WATCHED = 3


@dataclass
class Flow:
    event: Any
    count: int = 0
    reported: int = 0
    state: State = State.PENDING
    answered: bool = True  # a forgotten one is PENDING, and is sent again at its next hit


class Kernel:
    """What `hit` gives is on the ring. Without BPF, rings and budgets: those have their own tests."""

    def __init__(self) -> None:
        self.flows: OrderedDict[bytes, Flow] = OrderedDict()

    def hit(self, event: Any) -> list[Event]:
        """One more of it; what is sent."""
        flow = self.flows.setdefault(event.flow, Flow(event, answered=False))
        flow.count += 1
        if flow.state is not State.PENDING:
            return []
        flow.answered = False
        return [event]

    def _answer(self, keys: Iterable[bytes], state: State) -> None:
        for key in keys:
            if key in self.flows:
                self.flows[key].state, self.flows[key].answered = state, True

    def remember(self, keys: Iterable[bytes]) -> None:
        self._answer(keys, State.KNOWN)

    def watch(self, keys: Iterable[bytes]) -> None:
        self._answer(keys, State.WATCHED)

    def forget(self, keys: Iterable[bytes]) -> None:
        self._answer(keys, State.PENDING)

    def count(self, key: bytes) -> int | None:
        return self.flows[key].count if key in self.flows else None

    def known(self) -> list[bytes]:
        return [key for key, flow in self.flows.items() if flow.state is not State.PENDING]

    def sweep(self, *, whole: bool) -> list[FlowCount]:
        counts = []
        for key, flow in self.flows.items():
            due = whole or flow.state is not State.KNOWN or flow.count >= 2 * flow.reported
            if flow.count == flow.reported or (flow.count == 1 and flow.state is not State.PENDING) or not due:
                continue
            counts.append(_counted(key, flow, final=False))
            flow.reported = flow.count
        return counts

    def retire(self, key: bytes) -> FlowCount:
        """It was idle for long."""
        return _counted(key, self.flows.pop(key), final=True)


def _counted(key: bytes, flow: Flow, *, final: bool) -> FlowCount:
    return FlowCount(0, key, BOX.cgroup, Session.MAIN, 0, flow.count, flow.count - flow.reported, 0, 0, 1, 0, "", final)


class House:
    """A whole agent over the model. The log takes everything when `settle` is called."""

    def __init__(self, policies: Sequence[Policy] = (), limit: int = FLOWS) -> None:
        self.kernel = Kernel()
        self.policies = Policies([])
        self.policies.take(found(policies))
        self.records: list[Record] = []
        self.told: list[Finding] = []
        self.done: list[Done] = []
        self.running: list[tuple[Event, Origin] | None] = []
        self.room = True
        self.epoch = 0
        self.container: Container | None = BOX
        self.errors: list[Exception] = []
        self.stamp = stamp()
        self.findings = Findings(self.stamp, self.told.append)
        self.remembered = Remembered(self.kernel, limit)
        self.remembered.generation = self.policies.generation
        self.pipeline = Pipeline(self._parts())
        self.rejudging = Rejudging(self._rejudged(), self.remembered, self.findings, self.done.append)

    def _parts(self) -> Parts:
        return Parts(
            decode=lambda _: None,
            notice=lambda _: None,
            locate=lambda event: (event, Origin(BOX, None)),
            hold=lambda event: (event,),
            judge=self.policies.judge,
            record=self.stamp.record,
            log=self._log,
            outputs=(self.findings.write, self.remembered.write),
            novel=self.remembered.see,
            taken=lambda: 1 << 60,
            failed=self.errors.append,
            remember=self.remembered.settle,
            watch=self.remembered.settle,
        )

    def _rejudged(self) -> Rejudged:
        def before(change: Change) -> Judge:
            return change.previous.judge

        return Rejudged(
            judge=self.policies.judge,
            judge_by=before,
            container=lambda _: self.container,
            guard=lambda: iter(()),
            prefixes=lambda: iter(()),
            sweep=lambda: self.kernel.sweep(whole=False),
            see=self.pipeline.see,
            again=self.pipeline.again,
            pending=lambda: self.pipeline.pending,
            count=self.kernel.count,
            known=self.kernel.known,
            running=self._running,
            forget_all=self._forget_all,
            now_ns=lambda: 1,
        )

    def _running(self) -> Iterator[tuple[Event, Origin] | None]:
        return iter(self.running)

    def _forget_all(self) -> None:
        self.epoch += 1
        self.kernel.flows.clear()

    def _log(self, records: Sequence[Record]) -> list[int]:
        self.records += records
        return [int(self.room)] * len(records)

    def does(self, *events: Any) -> None:
        """Each happens; what is sent goes through the pipeline."""
        for event in events:
            for sent in self.kernel.hit(event):
                self.pipeline.see(sent)

    def settle(self) -> None:
        self.pipeline.settle()

    def changes(self, *policies: Policy) -> None:
        """Another set is in force; nothing is judged again yet."""
        change = self.policies.take(found(policies))
        if change is not None:
            self.rejudging.begin(change)

    def judged(self) -> None:
        """All of it is."""
        while self.rejudging.busy:
            self.rejudging.step(1.0)
            self.pipeline.settle()
        assert self.errors == []

    def sweep(self, *, whole: bool = True) -> None:
        for count in self.kernel.sweep(whole=whole):
            self.pipeline.see(count)

    def states(self) -> dict[bytes, State]:
        return {key: flow.state for key, flow in self.kernel.flows.items()}

    def violations(self) -> dict[bytes, Verdict]:
        """Live verdicts: what counts of each flow that is a violation now, without the generation."""
        kept = {key: self.remembered.get(key) for key in self.remembered.all()}
        verdicts = {key: one.verdict for key, one in kept.items() if one is not None and one.verdict is not None}
        return {key: replace(one, generation=0) for key, one in verdicts.items() if one.outcome.value == "violation"}

    def totals(self) -> dict[str, int]:
        """How often each subject was told as a violation, all windows together."""
        self.findings.close()
        last = {(one.fingerprint, one.subject): one.count for one in self.told}
        totals: dict[str, int] = {}
        for (_, subject), count in last.items():
            totals[subject] = totals.get(subject, 0) + count
        return totals


def found(policies: Sequence[Policy]) -> Found:
    """As if they had been read from files."""
    return Found((), ReadPolicies(list(policies), [], {}))
