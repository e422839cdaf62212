"""A web server: nginx in a container, wrk on the host, over the loopback of the container's network namespace.

Each has a processor to itself: where they may move about, two runs without any agent differ by a third.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import toolbox
from bench.rounds import Hooks, Pair, with_and_without
from bench.rows import Row, Target, at_least, row
from bench.shop import Sample, Shop
from tests.containers.network import inside
from tests.containers.runc import Box
from tests.containers.spec import Recipe

SECONDS, QUICK_SECONDS = 5, 1
LISTENS_S = 10.0
LISTENING = ":1F90 00000000:0000 0A"  # port 8080, any peer, state LISTEN: proc_net_tcp
RECIPE = Recipe(args=("/usr/sbin/nginx", "-c", "/etc/nginx.conf"))


def measure(shop: Shop) -> Iterator[Row]:
    """Requests of a small file, kept alive, with the agent over without it."""
    yield measured(shop, "nginx: its requests a second", at_least(0.97), shop.agent)


def measured(shop: Shop, name: str, target: Target | None, hooks: Hooks) -> Row:
    """The same with anything in the kernel."""
    seconds = QUICK_SECONDS if shop.quick else SECONDS
    equipped = replace(shop, workshop=toolbox.make(shop.workshop))
    pairs = with_and_without(equipped, {"nginx": partial(_requests, seconds=seconds)}, hooks, RECIPE)["nginx"]
    note = f"{min(_rate(without) for without, _ in pairs):.0f} requests a second without"
    return row(name, [_kept(pair) for pair in pairs], "times", target, note)


def _requests(box: Box, seconds: int) -> Sample:
    _wait_for_nginx(box)
    _give_a_processor(box)
    wrk = [*inside(box.pid), "taskset", "--cpu-list", "1", "wrk", "-t1", "-c8"]
    subprocess.run([*wrk, "-d1s", "http://127.0.0.1:8080/"], check=True, capture_output=True)
    done = subprocess.run([*wrk, f"-d{seconds}s", "http://127.0.0.1:8080/"], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    if rate is None or "Non-2xx" in done:
        raise RuntimeError(f"wrk says:\n{done}")
    return Sample(round(float(rate[1]) * seconds), 0, seconds * 1_000_000_000)


def _wait_for_nginx(box: Box) -> None:
    until_s = time.monotonic() + LISTENS_S
    while LISTENING not in Path(f"/proc/{box.pid}/net/tcp").read_text():
        if time.monotonic() > until_s:
            raise RuntimeError(f"nginx does not listen:\n{box.err}")
        time.sleep(0.02)


def _give_a_processor(box: Box) -> None:
    for pid in box.processes():
        os.sched_setaffinity(pid, {0})


def _rate(sample: Sample) -> float:
    return sample.count / sample.wall_ns * 1e9


def _kept(pair: Pair) -> float:
    without, with_ = pair
    return _rate(with_) / _rate(without)
