"""Brings the programs into the kernel: what is probed, set, loaded and attached, in which order, and what is missing then.

    probe features ─► choose programs ─► constants, sizes ─► load ─► fill the call tables ─► attach ─► stock-taking ─► self-test
                          ▲                                   │
                          └── leave out one that was refused ─┘

Links are held by this process: whatever ends it, ends them.
"""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct

from agent.sensor import calls, cgroups, features, hooks, layout, sizes, stock, variables
from agent.sensor.features import SensorError
from agent.sensor.hooks import Hook, State
from agent.sensor.libbpf import Libbpf
from agent.sensor.maps import Map
from agent.sensor.object import Object, Program
from agent.sensor.prepare import Plan, Settings, load
from agent.sensor.ring import Ring, Rings
from agent.sensor.source import Channel, Tap

_U32 = Struct("<I")
_HOST = "standing_host"
_RINGS = {Channel.URGENT: "urgent", Channel.NOVELTY: "novelty"}


class Sensor:
    """The programs, loaded and attached. Made by `Sensor.open`; `close` takes everything out of the kernel."""

    def __init__(self, loaded: Object, plan: Plan) -> None:
        self.hierarchy, self.sizes = plan.hierarchy, plan.sizes
        self.seed = plan.seed  # of the name hashes (names.py); never to be shown
        self.hooks: list[Hook] = []
        self._object = loaded
        self._links: list[int] = []

    @classmethod
    def open(cls, path: Path | None = None, settings: Settings | None = None, library: Libbpf | None = None) -> "Sensor":
        """Load and attach. Some 1 s of wall time, mostly the verifier's.

        Raises SensorError where the sensor can be no use here: no BTF, no rights, no cgroups, or a vital program refused.
        Whatever else is missing is in `hooks`.
        """
        chosen = settings or Settings()
        planned, seed = sizes.planned(chosen.memory_bytes), int.from_bytes(os.urandom(8), "little")
        plan = Plan(path or features.object_path(), chosen, _hierarchy(), planned, seed)
        loaded, out = load(_library() if library is None else library, plan)
        sensor = cls(loaded, plan)
        try:
            sensor._start(out)
        except BaseException:
            sensor.close()
            raise
        return sensor

    def _start(self, out: Mapping[str, Hook]) -> None:
        """Fill what the programs read, then attach them."""
        names = self.map("code_variables")
        for number, name in enumerate(variables.CODE_VARIABLES):
            names.put(name.encode().ljust(variables.NAME_BYTES, b"\0"), _U32.pack(number))
        programs = [it for name, it in self._object.programs.items() if name not in out]
        for program in programs:
            if calls.is_target(program.name):
                self._fill(program)
        host = self._object.programs.get(_HOST)
        if host and host.name not in out:
            self._iterate(host, lambda _: None)  # before any exec is seen: else the host's namespace is taken for a container's
        self.hooks = [*out.values(), *self._attached(programs)]

    def _fill(self, program: Program) -> None:
        descriptor = _U32.pack(self._object.descriptor(program.name))
        for table, number in calls.slots(program.name, platform.machine()):
            self.map(calls.TABLES[table][0]).put(_U32.pack(number), descriptor)

    def _attached(self, programs: Sequence[Program]) -> list[Hook]:
        wanted = [it for it in programs if hooks.attaches(it.name, it.place)]
        root = os.open(self.hierarchy.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return [self._attach(it, root) for it in sorted(wanted, key=lambda it: hooks.rank(it.name, it.place))]
        finally:
            os.close(root)

    def _attach(self, program: Program, root: int) -> Hook:
        library, costs = self._object.library, hooks.cost_of(program.name, program.place)
        if program.place.startswith("cgroup") and not self.hierarchy.unified:
            return Hook(program.name, program.place, State.MISSING, "cgroup v2 is not mounted", costs)
        try:
            if program.place.startswith("cgroup"):
                self._links.append(library.bpf_program__attach_cgroup(program.pointer, root))
            else:
                self._links.append(library.bpf_program__attach(program.pointer))
        except OSError as problem:
            return Hook(program.name, program.place, State.FAILED, features.refused(problem), costs)
        return Hook(program.name, program.place, State.ATTACHED)

    def map(self, name: str, *, per_cpu: bool = False) -> Map:
        """A map of the object."""
        return self._object.map(name, per_cpu=per_cpu)

    def run(self, program: str, context: bytes) -> tuple[int, bytes]:
        """Run a SEC("syscall") program; its return value and the context as it left it."""
        return self._object.library.run(self._object.descriptor(program), context)

    def source(self, tap: Tap | None = None) -> Rings:
        """The rings of events. Once: a ring has one reader."""
        return Rings({channel: self.ring(name) for channel, name in _RINGS.items()}, tap)

    def ring(self, name: str) -> Ring:
        """One ring."""
        return Ring(self.map(name).descriptor, self.sizes.rings[name])

    def set_generation(self, generation: int) -> None:
        """The policy generation, which is part of every flow's key. From the next event on."""
        self._object.set_variable("generation", generation & 0xFFFFFFFF)

    def wire_name(self, name_hash: int) -> None:
        """Let the kernel look among the tripwires for a name of this hash."""
        self._object.set_bit("wired_names", name_hash % (64 * layout.WIRED_WORDS))

    def read_ticks(self) -> int:
        """The kernel's count of ticks."""
        return int.from_bytes(self.run("read_ticks", bytes(8))[1], "little")

    def set_ticks(self, tick_ns: int, began_ns: int) -> None:
        """See ticks.py. The length, which never changes, last: with it the programs begin to go by ticks."""
        self._object.set_variable("ticks_began_ns", began_ns)
        self._object.set_variable("tick_ns", tick_ns)

    def take_stock(self, take: Callable[[list[bytes]], None] = lambda _: None) -> None:
        """Find what already runs.

        `take` is called often: it has to empty the rings (mount tables, sockets), then to take the records that it is given
        (processes and their code), whose files are named by those mounts.
        """
        for program in sorted(self._object.programs.values(), key=lambda it: it.place):
            if program.place.startswith("iter") and not self._out(program.name):
                self._iterate(program, take)

    def _out(self, program: str) -> bool:
        return any(hook.program == program and hook.state is not State.ATTACHED for hook in self.hooks)

    def _iterate(self, program: Program, take: Callable[[list[bytes]], None]) -> None:
        library = self._object.library
        link = library.bpf_program__attach_iter(program.pointer, None)
        try:
            descriptor = library.bpf_iter_create(library.bpf_link__fd(link))
        finally:
            library.bpf_link__destroy(link)
        try:
            for records in stock.batches(descriptor):
                take(records)
        finally:
            os.close(descriptor)
        take([])

    def missing(self) -> list[Hook]:
        """The hooks that are not in place, with what is not seen without them."""
        return [hook for hook in self.hooks if hook.state is not State.ATTACHED]

    def close(self) -> None:
        """Detach and unload everything. Rings that were handed out must be closed by their owner."""
        while self._links:
            with suppress(OSError):  # the link goes with our process at the latest
                self._object.library.bpf_link__destroy(self._links.pop())
        self._object.close()


def _hierarchy() -> cgroups.Hierarchy:
    try:
        return cgroups.find()
    except cgroups.NoCgroups as problem:
        raise SensorError(str(problem)) from problem


def _library() -> Libbpf:
    try:
        return Libbpf()
    except OSError as problem:
        raise SensorError(str(problem)) from problem
