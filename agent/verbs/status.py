"""`vedette status`."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.sensor import features, hooks
from agent.sensor.libbpf import Libbpf
from agent.settings import SettingsError, load
from agent.status import STALE_S, is_running, read_status


def status(file: Path | None, overrides: Mapping[str, Any], *, as_json: bool) -> int:
    """The exit code: 0 if an agent runs and is ready."""
    try:
        settings = load(file, overrides=overrides)
    except SettingsError as error:
        sys.stderr.write(f"vedette: {error}\n")
        return 2
    seen = read_status(settings.log.folder)
    running = seen is not None and is_running(seen)
    kernel = _kernel()
    if as_json:
        sys.stdout.write(json.dumps({"running": running, "kernel": kernel, "agent": seen if running else None}) + "\n")
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
    told["missing"] = [
        {"hook": place, "costs": hooks.cost_of(place)} for place in hooks.places() if (point := hooks.tracepoint(place)) and not probe.has_tracepoint(point)
    ]
    probe.close()
    return told


def _kernel_lines(kernel: dict[str, Any]) -> list[str]:
    lines = [f"kernel     Linux {kernel['release']} {kernel['machine']}, tier 2: tracepoints and cgroup hooks"]
    if kernel["problem"]:
        lines.append(f"           ✗ {kernel['problem']}")
    lines += [f"           ✗ no {each['hook']}: {each['costs']}" for each in kernel["missing"]]
    if not kernel["problem"] and not kernel["missing"]:
        lines.append("           ✓ all hooks are offered")
    return lines


def _agent_lines(seen: dict[str, Any] | None, folder: Path) -> list[str]:
    if seen is None:
        return [f"agent      not running on {folder}"]
    age_s = time.time() - seen["time"]
    stale = f" ✗ silent for {age_s:.0f} s" if age_s > STALE_S else ""
    ready = "ready" if seen["ready"] else "not ready: " + "; ".join(seen["unready"])
    lines = [f"agent      pid {seen['pid']}, up {seen['up_s']:.0f} s, {ready}{stale}"]
    attached = [hook for hook in seen["hooks"] if hook["state"] == "attached"]
    lines.append(f"hooks      {len(attached)} attached")
    lines += [f"           ✗ {hook['place']} {hook['state']}: {hook['why']} — {hook['costs']}" for hook in seen["hooks"] if hook["state"] != "attached"]
    policies = seen["policies"]
    lines.append(f"policies   {policies['count']} in force, generation {policies['generation']}")
    lines += [f"           ✗ {error}" for error in policies["errors"]]
    lines.append(f"containers {len(seen['containers'])}")
    lines += [f"           {one['name'] or one['id'] or one['cgroup']}  {one['image']}  {one['runtime']}" for one in seen["containers"]]
    lines.append("losses     " + (", ".join(f"{name} {count}" for name, count in seen["losses"].items() if count) or "none"))
    lines += [f"           ✗ log {name}: {one['error']}" for name, one in seen["log"].items() if one["error"]]
    memory = seen["memory"]
    lines.append(f"memory     maps and rings {memory['planned_bytes'] >> 20} MiB of a budget of {memory['budget_bytes'] >> 20} MiB")
    own = seen["own"]
    lines.append(f"own cost   {own['cpu_s']:.2f} s CPU, {own['resident_bytes'] >> 20} MiB resident")
    return lines
