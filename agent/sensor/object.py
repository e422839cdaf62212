"""A BPF object file as libbpf opened it: its programs, its maps, and the variables that are set before it is loaded."""

import ctypes as c
import mmap
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from agent.sensor import btf, layout
from agent.sensor.features import SensorError
from agent.sensor.libbpf import Libbpf
from agent.sensor.maps import Map
from agent.sensor.shape import shape_of


@dataclass(frozen=True)
class Program:
    """One program of the object."""

    name: str
    place: str  # its section: tp_btf/sched_process_exec
    pointer: int


class Object:
    """One object file. Raises OSError where libbpf can't open it. Close it: that unloads what nothing else holds."""

    def __init__(self, library: Libbpf, path: Path) -> None:
        self.library = library
        self._bss: mmap.mmap | None = None
        self._pointer: int = library.bpf_object__open(str(path).encode())
        self.programs = {program.name: program for program in self._programs()}
        self._maps: dict[str, int] = {library.bpf_map__name(pointer).decode(): pointer for pointer in library.maps(self._pointer)}
        self._types = btf.Btf(library.btf_bytes(library.bpf_object__btf(self._pointer)))
        try:
            self._refuse_other_border(path)
        except SensorError:
            self.close()
            raise
        self._sections = {name: self._types.variables(name) for name in (".rodata", ".bss")}

    def _programs(self) -> list[Program]:
        name, place = self.library.bpf_program__name, self.library.bpf_program__section_name
        return [Program(name(it).decode(), place(it).decode(), it) for it in self.library.programs(self._pointer)]

    def _refuse_other_border(self, path: Path) -> None:
        """Records must be read as they were laid out: an object of another version's border is no use."""
        for constant, value in vars(layout).items():
            name = constant.lower()
            if isinstance(value, Struct) and self._types.has(btf.STRUCT, name):
                shape = shape_of(self._types, name)
                if (shape.format, tuple(shape.names)) != (value.format, getattr(layout, f"{constant}_FIELDS")):
                    message = f"{path} was built with another struct {name} than this agent reads"
                    raise SensorError(f"{message}\nhint: `make object` compiles it anew")

    def skip(self, program: str) -> None:
        """Leave the program out of the load."""
        self._autoload(program, on=False)

    def want(self, program: str) -> None:
        """Load the program, also if its section begins with "?"."""
        self._autoload(program, on=True)

    def _autoload(self, program: str, *, on: bool) -> None:
        self.library.bpf_program__set_autoload(self.programs[program].pointer, on)

    def set_entries(self, name: str, entries: int) -> None:
        """The size of a map (of a ring: in bytes)."""
        self.library.bpf_map__set_max_entries(self._maps[name], entries)

    def set_constant(self, name: str, value: bytes) -> None:
        """Set a variable of .rodata; before the load. KeyError where the object has none of that name."""
        offset, size = self._sections[".rodata"][name]
        if len(value) > size:
            raise ValueError(f"{name} has {size} bytes, not {len(value)}")
        whole = c.c_size_t()
        start = self.library.bpf_map__initial_value(self._maps[self._named(".rodata")], c.byref(whole))
        c.memmove(start + offset, value, len(value))

    def has_constant(self, name: str) -> bool:
        """Whether the object has a variable of that name in .rodata."""
        return name in self._sections[".rodata"]

    def set_variable(self, name: str, value: int) -> None:
        """Set a variable of .bss while the programs run, in one store. KeyError where the object has none of that name."""
        offset, size = self._sections[".bss"][name]
        with memoryview(self._shared()) as whole, whole[offset : offset + size].cast("I" if size == 4 else "Q") as place:
            place[0] = value

    def set_bit(self, name: str, number: int) -> None:
        """Set a bit of an array of 64-bit words in .bss. For one writer: what the programs write there would be lost."""
        offset, _ = self._sections[".bss"][name]
        with memoryview(self._shared()) as whole, whole[offset + (number >> 6) * 8 :][:8].cast("Q") as place:
            place[0] |= 1 << (number & 63)

    def variable(self, name: str) -> int:
        """The present value of a variable of .bss."""
        offset, size = self._sections[".bss"][name]
        return int.from_bytes(self._shared()[offset : offset + size], "little")

    def _shared(self) -> mmap.mmap:
        """The loaded .bss. libbpf maps it only for skeletons: what it calls the initial value stays a copy of ours."""
        if self._bss is None:
            found = self.map(self._named(".bss"))
            self._bss = mmap.mmap(found.descriptor, -(-found.value_bytes // mmap.PAGESIZE) * mmap.PAGESIZE)
        return self._bss

    def _named(self, section: str) -> str:
        return next(name for name in self._maps if name.endswith(section))

    def load(self) -> None:
        """Load programs and maps into the kernel. OSError: see the library's log."""
        self.library.bpf_object__load(self._pointer)

    def map(self, name: str, *, per_cpu: bool = False) -> Map:
        """A map of the loaded object."""
        return Map(self.library, self._maps[name], self.library.libbpf_num_possible_cpus() if per_cpu else 1)

    def descriptor(self, program: str) -> int:
        """Of a loaded program."""
        return int(self.library.bpf_program__fd(self.programs[program].pointer))

    def close(self) -> None:
        """Unload. Programs that a link holds stay until the link is gone."""
        if self._bss is not None:
            self._bss.close()
            self._bss = None
        self.library.bpf_object__close(self._pointer)
