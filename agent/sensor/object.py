"""A BPF object file as libbpf opened it: its programs, its maps, and the variables that are set before it is loaded."""

import ctypes as c
from dataclasses import dataclass
from pathlib import Path

from agent.sensor import btf
from agent.sensor.libbpf import Libbpf
from agent.sensor.maps import Map


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
        self._pointer: int = library.bpf_object__open(str(path).encode())
        self.programs = {program.name: program for program in self._programs()}
        self._maps = {library.bpf_map__name(pointer).decode(): pointer for pointer in library.maps(self._pointer)}
        self._types = btf.Btf(library.btf_bytes(library.bpf_object__btf(self._pointer)))
        self._sections = {name: self._types.variables(name) for name in (".rodata", ".bss")}

    def _programs(self) -> list[Program]:
        name, place = self.library.bpf_program__name, self.library.bpf_program__section_name
        return [Program(name(it).decode(), place(it).decode(), it) for it in self.library.programs(self._pointer)]

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
        self._write(".rodata", name, value)

    def set_variable(self, name: str, value: bytes) -> None:
        """Set a variable of .bss, also while the programs run: the map is mapped into our memory. At most 8 bytes are atomic."""
        self._write(".bss", name, value)

    def variable(self, name: str) -> bytes:
        """The present value of a variable of .bss."""
        offset, size = self._sections[".bss"][name]
        return c.string_at(self._memory(".bss") + offset, size)

    def _write(self, section: str, name: str, value: bytes) -> None:
        offset, size = self._sections[section][name]
        if len(value) > size:
            raise ValueError(f"{name} has {size} bytes, not {len(value)}")
        c.memmove(self._memory(section) + offset, value, len(value))

    def _memory(self, section: str) -> int:
        (pointer,) = (it for name, it in self._maps.items() if name.endswith(section))
        size = c.c_size_t()
        return int(self.library.bpf_map__initial_value(pointer, c.byref(size)))

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
        self.library.bpf_object__close(self._pointer)
