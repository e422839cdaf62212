"""What the hooks themselves cost on this machine: programs that do nothing, at the places where the sensor's sit.

No sensor at these places can be cheaper. The targets of opens and connects have to be read beside these rows: a kernel that
guards its returns against speculation (Safe RET) pays three times as much for a hook as one that doesn't.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from agent.sensor import cgroups
from agent.sensor.libbpf import Libbpf
from bench.machine import PROJECT
from bench.parts.works import WORKS
from bench.rounds import cpu_ratios, microseconds
from bench.rows import Row, row
from bench.shop import Sample, Shop, bulk
from compile_bpf import run

SOURCE = PROJECT / "bench" / "work" / "empty.bpf.c"
SHOWN = ("open-hot", "connect", "datagram", "null")


def measure(shop: Shop) -> Iterator[Row]:
    """One row a work."""
    built = shop.workshop.folder / "empty.o"
    run("clang", "-target", "bpf", "-O2", "-g", "-I/usr/include/x86_64-linux-gnu", "-c", str(SOURCE), "-o", str(built))
    works = {name: (work, shop.scaled(count)) for name, work, count, _ in WORKS if work in SHOWN}
    pairs: dict[str, list[tuple[Sample, Sample]]] = {name: [] for name in works}
    for number in range(shop.rounds):
        one = _arm(shop, works, built if number % 2 else None)
        two = _arm(shop, works, None if number % 2 else built)
        without, with_ = (two, one) if number % 2 else (one, two)
        for name in works:
            pairs[name].append((without[name], with_[name]))
    for name, of_one in pairs.items():
        without_all, with_all = zip(*of_one, strict=True)
        note = f"{microseconds(list(without_all)):.2f} → {microseconds(list(with_all)):.2f} µs"
        yield row(f"{name}: its CPU with programs that do nothing", cpu_ratios(of_one), "times", None, note)


def _arm(shop: Shop, works: Mapping[str, tuple[str, int]], built: Path | None) -> dict[str, Sample]:
    with ExitStack() as stack:
        if built:
            _attach(stack, built)
        box = stack.enter_context(shop.box())
        return {name: partial(bulk, box, work, count)() for name, (work, count) in works.items()}


def _attach(stack: ExitStack, built: Path) -> None:
    library = Libbpf()
    loaded = library.bpf_object__open(str(built).encode())
    stack.callback(library.bpf_object__close, loaded)
    library.bpf_object__load(loaded)
    root = os.open(cgroups.find().path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    for program in library.programs(loaded):
        if library.bpf_program__section_name(program).startswith(b"cgroup"):
            link = library.bpf_program__attach_cgroup(program, root)
        else:
            link = library.bpf_program__attach(program)
        stack.callback(library.bpf_link__destroy, link)
