"""The page of metrics, from what agent/outputs/metrics.py gives to a scrape."""

from prometheus_client.metrics_core import Metric

from agent.outputs.metrics import Metrics
from docs.tables import code, page, table

INTRO = """On `/metrics`, in Prometheus's text format. Every set of labels is bounded: what comes from policies or gaps is `other`
beyond a number of different values. `/healthz` says whether the agent lives, `/readyz` whether it does its work; both name
what is missing."""


def text() -> str:
    """Every metric with its type, labels and meaning."""
    heads = ("metric", "type", "labels", "meaning")
    return page("Metrics", INTRO, [table(heads, map(_row, Metrics().collect()))], source="agent/outputs/metrics.py")


def _row(family: Metric) -> tuple[str, ...]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = getattr(family, "_labelnames", ())  # prometheus-client keeps them to itself
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation
