"""Metrics, as promtool and a real Prometheus read them."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from agent.outputs.findings import Findings
from agent.outputs.metrics import LABELS, Metrics, Snapshot
from agent.outputs.server import Server, pages
from model.record import Finding
from tests.outputs.builders import T0, eventually, exec_, flow_count, gap, open_, origin, stamp, violation

SNAPSHOT = Snapshot(
    maps={"flows": (17, 65536)},
    rings={"urgent": (0, 4096), "novelty": (512, 8192)},
    containers={"running": 3, "dead": 1},
    policy_generation=4,
    policy_errors=1,
    lost={("log.activity", "open"): 9},
    tables={"processes": 3, "lookups": 0},
    log_bytes={"evidence": 100, "activity": 2000},
    restarts={"sweep": 2},
    ready=True,
)
MS = 1_000_000


def busy() -> Metrics:
    metrics, making = Metrics(lambda: SNAPSHOT), stamp()
    findings = Findings(making, metrics.write)
    for event in (exec_(), open_(), open_(), flow_count(7), gap("ring.urgent", "exec", 3), gap("ring.urgent", "exec", -1)):
        metrics.write(making.record(event, origin()))
    findings.write(making.record(exec_("/tmp/x"), origin(), violation()))
    metrics.latency([T0, T0, T0], T0 + 3 * MS)
    metrics.latency([T0], T0 + 2000 * MS)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_promtool_has_nothing_to_say() -> None:
    checked = subprocess.run(["promtool", "check", "metrics"], input=busy().exposition(), capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_records_findings_and_losses_are_counted() -> None:
    metrics = busy()
    assert value(metrics, "vedette_events_total", kind="open") == 2
    assert value(metrics, "vedette_events_total", kind="exec") == 1
    assert value(metrics, "vedette_findings_total", reason="exec.not_allowed", severity="high") == 1
    assert value(metrics, "vedette_lost_total", place="ring.urgent", kind="exec") == 3
    assert value(metrics, "vedette_gaps_total", place="ring.urgent", kind="exec") == 2, "a gap of unknown size is one, too"
    assert value(metrics, "vedette_lost_total", place="log.activity", kind="open") == 9


def test_latency_is_a_cumulative_histogram() -> None:
    metrics = busy()
    assert value(metrics, "vedette_record_latency_seconds_bucket", le="0.0025") == 0
    assert value(metrics, "vedette_record_latency_seconds_bucket", le="0.005") == 3
    assert value(metrics, "vedette_record_latency_seconds_bucket", le="+Inf") == 4
    assert value(metrics, "vedette_record_latency_seconds_sum") == pytest.approx(2.009)


def test_what_the_other_parts_know_is_read_at_the_scrape() -> None:
    metrics = busy()
    assert value(metrics, "vedette_map_entries", map="flows") == 17
    assert value(metrics, "vedette_map_capacity", map="flows") == 65536
    assert value(metrics, "vedette_ring_used_bytes", ring="novelty") == 512
    assert value(metrics, "vedette_ready") == 1
    assert (value(metrics, "vedette_process_resident_memory_bytes") or 0) > 1 << 20


def test_what_had_no_room_is_counted_by_table() -> None:
    metrics = busy()
    assert value(metrics, "vedette_table_refused_total", table="processes") == 3
    assert value(metrics, "vedette_table_refused_total", table="lookups") == 0, "a table that was never full is there, too"


def test_label_sets_stay_bounded() -> None:
    metrics, making = Metrics(), stamp()
    for number in range(5000):
        metrics.write(making.record(gap(f"place {number}")))
    assert metrics.exposition().count(b"vedette_gaps_total{") == LABELS + 1
    assert value(metrics, "vedette_gaps_total", place="other", kind="other") == 5000 - LABELS


def test_two_sets_of_metrics_do_not_share_a_registry() -> None:
    assert value(busy(), "vedette_events_total", kind="open") == value(busy(), "vedette_events_total", kind="open")


def test_hostile_labels_are_escaped() -> None:
    metrics = Metrics()
    told: list[Finding] = []
    findings = Findings(stamp(), told.append)
    findings.write(stamp().record(exec_("/tmp/x"), origin(), violation()))
    metrics.write(structs.replace(told[0], reason='rule."}\n# evil'))
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.exposition(), capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A Prometheus of our own that scrapes `busy`; its address."""
    server = Server(pages(busy().exposition, list, list))
    config, port = tmp_path / "prometheus.yml", free_port()
    target = f"127.0.0.1:{server.address[1]}"
    config.write_text(
        f"scrape_configs: [{{job_name: vedette, scrape_interval: 1s, static_configs: [{{targets: ['{target}']}}]}}]"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        running = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)
        server.close()


def ask(prometheus: str, query: str) -> list[dict[str, list[str]]]:
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http
            found: list[dict[str, list[str]]] = json.load(answer)["data"]["result"]
            return found
    except OSError:
        return []


def test_a_real_prometheus_scrapes_and_answers(prometheus: str) -> None:
    eventually(lambda: ask(prometheus, "vedette_events_total"), within_s=30)
    assert ask(prometheus, "sum(vedette_events_total)")[0]["value"][1] == "6"
    assert ask(prometheus, 'vedette_map_entries{map="flows"} / ignoring(map) vedette_map_capacity')
    (quantile,) = ask(prometheus, "histogram_quantile(0.5, vedette_record_latency_seconds_bucket)")
    assert 0.0025 < float(quantile["value"][1]) <= 0.005
