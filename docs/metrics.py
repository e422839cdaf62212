"""The page of metrics, from what agent/outputs/metrics.py gives to a scrape."""

from prometheus_client.metrics_core import Metric

from agent.account import KERNEL_TABLES, TABLES
from agent.outputs.metrics import Metrics
from docs.tables import code, page, table

INTRO = """On `/metrics`, in Prometheus's text format. Every set of labels is bounded: what comes from policies or gaps is `other`
beyond a number of different values. `/healthz` says whether the agent lives, `/readyz` whether it does its work; both name
what is missing."""
FULL = """## Tables

Everything is bounded. What a full table refuses or forgets is counted, in `vedette_table_refused_total` and in `vedette status`;
it is never silent."""


def text() -> str:
    """Every metric with its type, labels and meaning."""
    heads = ("metric", "type", "labels", "meaning")
    full = {name: cost for every in (TABLES, KERNEL_TABLES) for name, (cost, _) in every.items()}
    tables = table(("table", "what it costs when it is full"), ((code(name), cost) for name, cost in full.items()))
    parts = [table(heads, map(_row, Metrics().collect())), FULL, tables]
    return page("Metrics", INTRO, parts, source="agent/outputs/metrics.py")


def _row(family: Metric) -> tuple[str, ...]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = getattr(family, "_labelnames", ())  # prometheus-client keeps them to itself
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation
