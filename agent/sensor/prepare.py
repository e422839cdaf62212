"""From an object file to loaded programs: choose, set constants and sizes, load, and again without what was refused."""

import platform
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

from agent.sensor import allowances, calls, hooks, sizes
from agent.sensor.allowances import Allowance
from agent.sensor.cgroups import Hierarchy
from agent.sensor.features import Features, SensorError, refused, symbol
from agent.sensor.hooks import Hook, State
from agent.sensor.libbpf import Libbpf
from agent.sensor.object import Object, Program

_U64, _S32, _WORDS = Struct("<Q"), Struct("<i"), Struct("<8Q")
_REFUSED = re.compile(r"prog '(\w+)': (?:BPF program load failed|failed to load)")


@dataclass(frozen=True)
class Settings:
    """What may be chosen."""

    memory_bytes: int = 32 << 20
    pending_s: float = 10  # a flow that was not answered for so long is sent again
    allowances: Mapping[int, Allowance] = field(default_factory=lambda: allowances.DEFAULTS)
    without: frozenset[str] = frozenset()  # programs to leave out, by name


@dataclass(frozen=True)
class Plan:
    """What is loaded: the file, and what it is told before."""

    path: Path
    settings: Settings
    hierarchy: Hierarchy
    sizes: sizes.Sizes
    seed: int


def load(library: Libbpf, plan: Plan) -> tuple[Object, dict[str, Hook]]:
    """The loaded object, and the hooks of the programs that are not in it, by name. Raises SensorError."""
    with closing(Features(library)) as features:
        features.require()
        out: dict[str, Hook] = {}
        while True:
            try:
                opened = Object(library, plan.path)
            except OSError as problem:
                raise SensorError(f"{plan.path}: {refused(problem)}\n{library.log_tail()}") from problem
            try:
                _prepare(opened, plan, features, out)
                opened.load()
            except OSError as problem:
                opened.close()
                _leave_out(opened, library, problem, out)
            except BaseException:
                opened.close()
                raise
            else:
                return opened, out


def _leave_out(opened: Object, library: Libbpf, problem: OSError, out: dict[str, Hook]) -> None:
    """Note the program that the kernel refused, so that the next try is without it."""
    found = _REFUSED.findall(library.log_tail(1000))
    program = opened.programs.get(found[-1]) if found else None
    if program is None or program.name in out or hooks.vital(program.place):
        raise SensorError(f"the kernel refused to load the programs: {refused(problem)}\n{library.log_tail()}") from problem
    why = f"{refused(problem)}: {_complaint(library.log_tail(1000))}"
    out[program.name] = Hook(program.name, program.place, State.FAILED, why, hooks.cost_of(program.name, program.place))


def _complaint(log: str) -> str:
    """The verifier's last words: the line before its statistics."""
    lines = [line for line in log.splitlines() if line and not line.startswith(("libbpf:", "processed ", "--"))]
    return lines[-1] if lines else "no reason given"


def _prepare(opened: Object, plan: Plan, features: Features, out: dict[str, Hook]) -> None:
    for program in opened.programs.values():
        _choose(program, plan, features, out)
        if program.name in out:
            opened.skip(program.name)
        else:
            opened.want(program.name)
    for name, size in {**plan.sizes.rings, **plan.sizes.entries}.items():
        opened.set_entries(name, size)
    for name, value in _constants(plan, set(opened.programs) - set(out)).items():
        if opened.has_constant(name):  # a build for tests may be without some programs and their constants
            opened.set_constant(name, value)


def _choose(program: Program, plan: Plan, features: Features, out: dict[str, Hook]) -> None:
    point = hooks.tracepoint(program.place)
    if program.name in plan.settings.without:
        why = "left out by the settings"
    elif point and not features.has_tracepoint(point):
        why = f"this kernel has no tracepoint {point}"
    else:
        return
    costs = hooks.cost_of(program.name, program.place)
    out.setdefault(program.name, Hook(program.name, program.place, State.MISSING, why, costs))


def _constants(plan: Plan, programs: Iterable[str]) -> dict[str, bytes]:
    names = sorted(programs)
    return {
        "seed": _U64.pack(plan.seed),
        "identity_subsystem": _S32.pack(plan.hierarchy.subsystem),
        "identity_hierarchy": _S32.pack(plan.hierarchy.number),
        "pending_ns": _U64.pack(int(plan.settings.pending_s * 1e9)),
        "task_work_fput": _U64.pack(symbol("____fput")),
        "allowances": allowances.packed(plan.settings.allowances),
        "changing_calls": calls.changes("call", platform.machine()),
        "changing_compat_calls": calls.changes("compat", platform.machine()),
        "wanted": _bits(names, "call"),
        "wanted_compat": _bits(names, "compat"),
    }


def _bits(programs: Iterable[str], table: str) -> bytes:
    """Which system calls the dispatcher has to look up: bit n is call n."""
    bits = 0
    for program in programs:
        if calls.is_target(program):
            for its, number in calls.slots(program, platform.machine()):
                bits |= (its == table) << number
    return bits.to_bytes(_WORDS.size, "little")
