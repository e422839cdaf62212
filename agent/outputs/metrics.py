"""Metrics for Prometheus. In the hot path plain integers; the exposition is made at the scrape, by the scraper's thread.

Label sets are bounded: what comes from policies or gaps is `other` beyond LABELS different values.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, TypeAlias

import psutil
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from model.event import Event, FlowCount, Gap
from model.record import Finding, Record

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
LABELS: Final = 128
Values: TypeAlias = Mapping[Any, float]  # labels, a tuple of str, to value
_BOUNDS_NS: Final = tuple(int(bound * 1e9) for bound in BUCKETS_S)


class Snapshot(Struct, frozen=True):
    """What the other parts know, read at a scrape. From the sensor, the node, the policies and the log."""

    maps: dict[str, tuple[int, int]] = {}  # entries, capacity
    rings: dict[str, tuple[int, int]] = {}  # bytes used, size
    containers: dict[str, int] = {}  # by state
    policy_generation: int = 0
    policy_errors: int = 0
    policy_polling: bool = False  # changes are looked for, not told
    policy_changes: int = 0
    rejudged: dict[str, int] = {}  # what runs and what is remembered, judged again, by what became of it
    rejudging_s: float = 0.0  # what the last change took
    remembered: int = 0  # flows that can be judged again
    lost: dict[tuple[str, str], int] = {}  # place, kind: what no Gap has passed through `write` for, as the log's own
    tables: dict[str, int] = {}  # what had no room, by table
    log_bytes: dict[str, int] = {}
    restarts: dict[str, int] = {}  # tasks that crashed and were started again
    ready: bool = False


class Metrics(Collector):
    """An output, and the collector of its own registry. `look` is asked at every scrape, from the scraper's thread."""

    def __init__(self, look: Callable[[], Snapshot] = Snapshot) -> None:
        self._look = look
        self._process = psutil.Process()
        self._events: dict[type[Event], int] = {}
        self._findings: Counter[tuple[str, str]] = Counter()
        self._lost: Counter[tuple[str, str]] = Counter()
        self._gaps: Counter[tuple[str, str]] = Counter()
        self.known_hits = 0
        self._latency = [0] * (len(BUCKETS_S) + 1)
        self._latency_sum_ns = 0
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def write(self, record: Record | Finding) -> None:
        """Count it."""
        if isinstance(record, Finding):
            self._findings[_bounded(self._findings, (record.reason, record.severity))] += 1
            return
        event = record.event
        kind = type(event)
        self._events[kind] = self._events.get(kind, 0) + 1
        if isinstance(event, FlowCount):
            self.known_hits += event.added
        elif isinstance(event, Gap):
            self._gap(event)

    def latency(self, times: Sequence[int], now_ns: int) -> None:
        """The records of these kernel times have just been written. Called by the log's writer thread alone."""
        for time_ns in times:
            took_ns = max(0, now_ns - time_ns)
            self._latency[bisect_left(_BOUNDS_NS, took_ns)] += 1
            self._latency_sum_ns += took_ns

    def lost(self) -> dict[tuple[str, str], int]:
        """What gaps have told so far, by place and kind."""
        return dict(self._lost)

    def own(self) -> dict[str, float]:
        """CPU seconds and resident bytes of this process."""
        cpu, memory = self._process.cpu_times(), self._process.memory_info()
        return {"cpu_s": round(cpu.user + cpu.system, 3), "resident_bytes": memory.rss}

    def close(self) -> None:
        """Nothing to end: the server that asks for the exposition is closed by its owner."""

    def exposition(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterable[Metric]:
        """All families, for one scrape."""
        yield from self._ours()
        yield from _of(self._look(), dict(self._lost))
        yield from self._process_families()

    def _gap(self, gap: Gap) -> None:
        """A Gap of unknown size (-1) is one in `gaps` and none in `lost`."""
        place = _bounded(self._gaps, (gap.place, gap.what))
        self._gaps[place] += 1
        self._lost[place] += max(0, gap.count)

    def _ours(self) -> Iterable[Metric]:
        kinds = {(str(kind.__struct_config__.tag),): count for kind, count in dict(self._events).items()}
        yield _counter("vedette_events", "Records by the kind of their event.", ["kind"], kinds)
        text = "Events that the kernel only counted, as far as sweeps have told of them."
        yield _counter("vedette_known_hits", text, [], {(): self.known_hits})
        text = "Findings told, by reason and severity."
        yield _counter("vedette_findings", text, ["reason", "severity"], dict(self._findings))
        yield _counter("vedette_gaps", "Gap records, by place and kind.", ["place", "kind"], dict(self._gaps))
        yield self._histogram()

    def _histogram(self) -> Metric:
        counts = list(accumulate(self._latency))
        buckets = [(str(bound), float(count)) for bound, count in zip((*BUCKETS_S, "+Inf"), counts, strict=True)]
        family = HistogramMetricFamily("vedette_record_latency_seconds", "From the event in the kernel to its record in the log.")
        family.add_metric([], buckets, self._latency_sum_ns / 1e9)
        return family

    def _process_families(self) -> Iterable[Metric]:
        with self._process.oneshot():
            cpu, memory = self._process.cpu_times(), self._process.memory_info()
        yield _counter("vedette_process_cpu_seconds", "The agent's own CPU time.", [], {(): cpu.user + cpu.system})
        yield _gauge("vedette_process_resident_memory_bytes", "The agent's own resident memory.", [], {(): memory.rss})


def _of(seen: Snapshot, lost: dict[tuple[str, str], int]) -> Iterable[Metric]:
    yield _counter("vedette_lost", "Events that were not itemised, by place and kind.", ["place", "kind"], lost | seen.lost)
    text = "Entries that a full table refused, or that it forgot to make room."
    yield _counter("vedette_table_refused", text, ["table"], _one(seen.tables))
    yield _gauge("vedette_map_entries", "Entries of a map in the kernel.", ["map"], _first(seen.maps, 0))
    yield _gauge("vedette_map_capacity", "Entries that a map in the kernel can hold.", ["map"], _first(seen.maps, 1))
    yield _gauge("vedette_ring_used_bytes", "Bytes on a ring that are not read yet.", ["ring"], _first(seen.rings, 0))
    yield _gauge("vedette_ring_size_bytes", "Bytes that a ring can hold.", ["ring"], _first(seen.rings, 1))
    yield _gauge("vedette_containers", "Containers by state.", ["state"], _one(seen.containers))
    yield _gauge("vedette_policy_generation", "Generation of the policies in force.", [], {(): seen.policy_generation})
    yield _gauge("vedette_policy_errors", "Errors in the policy files as they are now.", [], {(): seen.policy_errors})
    text = "1: inotify is used up or broken, so the policies' folders are looked at once a second."
    yield _gauge("vedette_policy_polling", text, [], {(): int(seen.policy_polling)})
    yield _counter(
        "vedette_policy_changes", "Sets of policies that were put in force on the running agent.", [], {(): seen.policy_changes}
    )
    text = "What was judged again after a change: same, violation, allowed, news (not to be judged again), standing (what runs)."
    yield _counter("vedette_rejudged", text, ["result"], _one(seen.rejudged))
    yield _gauge(
        "vedette_rejudging_seconds",
        "From a set in force until all was judged again, at the last change.",
        [],
        {(): seen.rejudging_s},
    )
    yield _gauge("vedette_remembered_flows", "Known flows that can be judged again.", [], {(): seen.remembered})
    yield _gauge("vedette_log_bytes", "Bytes of a log on disk.", ["log"], _one(seen.log_bytes))
    yield _counter("vedette_task_restarts", "Tasks that crashed and were started again.", ["task"], _one(seen.restarts))
    yield _gauge("vedette_ready", "1: self-test passed, sensor attached, policies loaded.", [], {(): int(seen.ready)})


def _bounded(counts: Counter[tuple[str, str]], labels: tuple[str, str]) -> tuple[str, str]:
    return labels if labels in counts or len(counts) < LABELS else ("other", "other")


def _one(values: dict[str, int]) -> dict[tuple[str], int]:
    return {(name,): value for name, value in values.items()}


def _first(values: dict[str, tuple[int, int]], position: int) -> dict[tuple[str], int]:
    return {(name,): value[position] for name, value in values.items()}


def _counter(name: str, text: str, labels: list[str], values: Values) -> Metric:
    return _family(CounterMetricFamily(name, text, labels=labels), values)


def _gauge(name: str, text: str, labels: list[str], values: Values) -> Metric:
    return _family(GaugeMetricFamily(name, text, labels=labels), values)


def _family(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
