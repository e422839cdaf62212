"""What the policy language costs by itself: one verdict, loading a cluster's policies, and the memory of both. No agent runs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench.rows import Row, at_most, one, row
from bench.shop import Shop
from model.event import Access, Event, Layer
from model.judge import Compiled, build, select
from model.policy import Policy, parse
from tests.model.builders import HEAD, connect, container, exec_, open_

RULES, POLICIES, CONTAINERS = 500, 1000, 500
TIMES = 20_000
ROUNDS = 5


def measure(shop: Shop) -> Iterator[Row]:
    """Judging in a container with many rules; then loading and compiling for a whole node."""
    judged = build([many_rules()], 1)
    for name, event in EVENTS.items():
        times = shop.scaled(TIMES)
        took_us = [_microseconds(judged, event, times) for _ in range(ROUNDS)]
        yield row(f"{RULES} rules: {name}", took_us, "µs", at_most(5), f"{judged.judge(event) is not None and times} times")
    loaded = [tuple(map(float, _alone().split())) for _ in range(ROUNDS)]
    what = f"{POLICIES:,} policies, {CONTAINERS} containers"
    yield row(f"{what}: read and compiled", [seconds for seconds, _ in loaded], "s", at_most(2))
    yield row(
        f"{what}: memory", [mebibytes for _, mebibytes in loaded], "MiB", at_most(50), "of a process of its own, more than before"
    )
    yield one("one policy of ten lines: read", _parse_ms(), "ms")


def many_rules() -> Policy:
    """A policy with rules of every form."""
    exact = (f"/app/d{number}/f{number}" for number in range(200))
    folders = (f"/srv/d{number}/**" for number in range(150))
    wild = (f"/var/x{number}/*.log" for number in range(100))
    anywhere = (f"/**/n{number}" for number in range(30))
    networks = ", ".join(f"10.{number}.0.0/16" for number in range(20))
    rules = ", ".join(chain(exact, folders, wild, anywhere))
    return _policy("many", f"read: {{allow: [{rules}]}}\n  egress: {{allow: [{networks}]}}\n  exec: {{allow: [image]}}")


EVENTS: dict[str, Event] = {
    "a file by its exact path": open_("/app/d7/f7"),
    "a file in an allowed folder": open_("/srv/d9/a/b/c/d"),
    "a file by a pattern": open_("/var/x5/a.log"),
    "a file that nothing allows": open_("/opt/nowhere/at/all/x", Layer.WRITABLE, Access.READ),
    "a peer": connect("10.7.1.1"),
    "a program": exec_("/usr/bin/env"),
}


def _policy(name: str, verbs: str, select: str = '{containers: {names: ["*"]}}') -> Policy:
    (made,) = parse(f"{HEAD}metadata: {{name: {name}}}\nspec:\n  select: {select}\n  {verbs}\n", f"{name}.yaml")
    return made


def _microseconds(judged: Compiled, event: Event, times: int) -> float:
    judge = judged.judge
    judge(event)
    began_ns = time.perf_counter_ns()
    for _ in range(times):
        judge(event)
    return (time.perf_counter_ns() - began_ns) / times / 1000


def _parse_ms() -> float:
    began_s = time.perf_counter()
    for number in range(100):
        _usual(number)
    return (time.perf_counter() - began_s) * 10


def _usual(number: int) -> Policy:
    verbs = (
        f"exec: {{allow: [/usr/sbin/nginx, /usr/bin/app{number}]}}\n  load: {{allow: [image]}}\n"
        "  read: {deny: [/run/secrets/**]}\n"
        "  write: {allow: [/var/cache/nginx/**, /run/nginx.pid]}\n  egress: {allow: [{to: 10.0.0.0/8, ports: [5432/tcp]}]}\n"
        "  listen: {allow: [80/tcp]}"
    )
    return _policy(f"p{number}", verbs, f"{{containers: {{names: [web{number}]}}}}")


def load() -> tuple[float, float, list[Compiled]]:
    """Seconds and mebibytes of a node's policies, each for two workloads of which one runs here; and what was made."""
    _usual(0)
    before, began_s = _resident_mib(), time.perf_counter()
    policies = [_usual(number) for number in range(POLICIES - 1)] + [_policy("all", "include: [metadata, secrets]")]
    containers = [container(f"web{number}") for number in range(CONTAINERS)]
    made = [build(select(policies, one), 1) for one in containers]
    return time.perf_counter() - began_s, _resident_mib() - before, made


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) / 256


def _alone() -> str:
    """In a process of its own: memory that was given back before isn't counted."""
    code = "from bench.parts.policies import load; seconds, mebibytes, _ = load(); print(seconds, mebibytes)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
