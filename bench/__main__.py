"""`make bench`, or `python -m bench [PART …]` as root. A whole run writes bench/results.json."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import msgspec
from rich.console import Console

from bench import machine
from bench.rows import Row
from bench.shop import Shop
from bench.table import show
from tests.containers.workshop import Workshop

RESULTS = Path(__file__).parent / "results.json"
ROUNDS, QUICK_ROUNDS = 5, 2
PARTS = {
    "policies": "a verdict among many rules; a node's policies read and compiled: time and memory",
    "works": "what watching costs the watched: CPU with the agent over without it",
    "floor": "what the hooks themselves cost here: programs that do nothing, at the same places",
    "hooks": "time inside our programs in the kernel for one deed",
    "burst": "a million opens, 200,000 connects, 20,000 execs: the agent's CPU, and what its log holds",
    "nginx": "requests a second of a web server",
    "novel": "what is new all the time: archives, temporary files, ps, builds, checkouts",
    "latency": "from an exec in the kernel to its record in the file",
    "idle": "start, memory, and the CPU of doing nothing",
    "change": "other policies for ten thousand known flows: until they are in force, and until all is judged again",
    "top": "what a live view costs who has it open",
    "whatif": "a million records judged by other policies",
    "flood": "too much at once: what is itemised, what is counted, and who else suffers",
}


def main() -> int:
    """The exit code: 0 if all targets are met."""
    asked = _arguments()
    if asked.list:
        for name, says in PARTS.items():
            sys.stdout.write(f"{name:10} {says}\n")
        return 0
    console = Console(width=None if sys.stdout.isatty() else 170)
    with Workshop() as workshop:
        shop = Shop(workshop, quick=asked.quick, rounds=asked.rounds or (QUICK_ROUNDS if asked.quick else ROUNDS))
        parts = {name: _run(console, shop, name) for name in asked.parts or PARTS}
    to = asked.to or (RESULTS if not asked.parts and not asked.quick else None)
    if to:
        to.write_text(_json(parts))
    return 0 if all(row.met is not False for rows in parts.values() for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the agent costs.")
    parser.add_argument("parts", nargs="*", metavar="PART", help="all, if none is named; see --list")
    parser.add_argument("--list", action="store_true", help="name the parts")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: for development, the values are noise")
    parser.add_argument("--rounds", type=int, default=0, help=f"rounds of each comparison (default {ROUNDS})")
    parser.add_argument("--to", type=Path, help="write the results there; a whole run writes bench/results.json")
    return parser.parse_args()


def _run(console: Console, shop: Shop, name: str) -> list[Row]:
    sys.stderr.write(f"{name}: {PARTS[name]}\n")
    began_s = time.monotonic()
    measure: Callable[[Shop], Iterator[Row]] = import_module(f"bench.parts.{name}").measure
    rows = list(measure(shop))
    show(console, f"{PARTS[name]} ({time.monotonic() - began_s:.0f} s)", rows)
    return rows


def _json(parts: dict[str, list[Row]]) -> str:
    told = {name: [{**msgspec.to_builtins(row), "met": row.met} for row in rows] for name, rows in parts.items()}
    return json.dumps({**machine.described(), "parts": told}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
