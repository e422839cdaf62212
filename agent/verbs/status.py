"""`vedette status`."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.sensor import features, hooks
from agent.sensor.libbpf import Libbpf
from agent.settings import SettingsError, load
from agent.status import STALE_S, is_running, read_status
from agent.verbs.refusal import refused
from agent.version import version
from model.text import printable


def status(file: Path | None, overrides: Mapping[str, Any], *, as_json: bool) -> int:
    """The exit code: 0 if an agent runs and is ready."""
    try:
        settings = load(file, overrides=overrides)
        seen = read_status(settings.log.folder)
    except (SettingsError, PermissionError) as error:
        return refused(error)
    running = seen is not None and is_running(seen)
    kernel = _kernel()
    if as_json:
        told = {"version": version(), "running": running, "kernel": kernel, "agent": seen if running else None}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for line in (*_kernel_lines(kernel), *_agent_lines(seen if running else None, settings.log.folder)):
            sys.stdout.write(f"{line}\n")
    return 0 if running and seen and seen["ready"] else 1


def _kernel() -> dict[str, Any]:
    """What can be said without loading anything."""
    told: dict[str, Any] = {"release": os.uname().release, "machine": os.uname().machine, "missing": [], "problem": ""}
    try:
        probe = features.Features(Libbpf())
    except (features.SensorError, OSError) as error:
        told["problem"] = str(error)
        return told
    try:
        probe.require()
    except features.SensorError as error:
        told["problem"] = str(error)
    points = [(place, hooks.tracepoint(place)) for place in hooks.places()]
    gone = [place for place, point in points if point and not probe.has_tracepoint(point)]
    told["missing"] = [{"hook": place, "costs": hooks.cost_of("", place)} for place in gone]
    probe.close()
    return told


def _kernel_lines(kernel: dict[str, Any]) -> Iterator[str]:
    yield f"kernel     Linux {kernel['release']} {kernel['machine']}, tier 2: tracepoints and cgroup hooks"
    if kernel["problem"]:
        yield f"           ✗ {kernel['problem']}"
    for each in kernel["missing"]:
        yield f"           ✗ no {each['hook']}: {each['costs']}"
    if not kernel["problem"] and not kernel["missing"]:
        yield "           ✓ all hooks are offered"


def _agent_lines(seen: dict[str, Any] | None, folder: Path) -> Iterator[str]:
    if seen is None:
        yield f"agent      none runs on {folder}"
        yield "           hint: --log names the folder of one that logs elsewhere"
        return
    age_s = time.time() - seen["time"]
    when = f" ✗ silent for {age_s:.0f} s" if age_s > STALE_S else f", as of {max(0.0, age_s):.0f} s ago"
    ready = "ready" if seen["ready"] else "not ready: " + "; ".join(seen["unready"])
    yield f"agent      {seen.get('version', 'an older version')}, pid {seen['pid']}, up {seen['up_s']:.0f} s, {ready}{when}"
    yield from _hook_lines(seen["hooks"])
    yield from _policy_lines(seen["policies"])
    yield from _container_lines(seen["containers"])
    losses = ", ".join(f"{name} {count}" for name, count in seen["losses"].items() if count)
    yield f"losses     {losses or 'none'}"
    full = ", ".join(f"{name} {count}" for name, count in seen.get("tables", {}).items() if count)
    yield f"no room    {full or 'all tables had room'}"
    for name, one in seen["log"].items():
        yield f"log        {name} {one['bytes'] >> 10} KiB on disk" + (f" ✗ {one['error']}" if one["error"] else "")
    memory, own = seen["memory"], seen["own"]
    yield f"memory     maps and rings {memory['planned_bytes'] >> 20} MiB of {memory['budget_bytes'] >> 20} MiB"
    yield f"own cost   {own['cpu_s']:.2f} s CPU, {own['resident_bytes'] >> 20} MiB resident"


def _hook_lines(all_hooks: list[dict[str, str]]) -> Iterator[str]:
    gone = [hook for hook in all_hooks if hook["state"] != "attached"]
    yield f"hooks      {len(all_hooks) - len(gone)} attached"
    for hook in gone:
        yield f"           ✗ {hook['place']} {hook['state']}: {hook['why']}"
        if hook["costs"]:
            yield f"             {hook['costs']}"


def _policy_lines(policies: dict[str, Any]) -> Iterator[str]:
    yield f"policies   {policies['count']} in force, generation {policies['generation']}"
    for error in policies["errors"]:
        yield f"           ✗ {error}"


def _container_lines(containers: list[dict[str, str]]) -> Iterator[str]:
    yield f"containers {len(containers)}"
    for one in containers:
        name = printable(one["name"] or one["id"] or one["cgroup"])
        yield f"           {name}  {printable(one['image'])}  {one['runtime']}"
