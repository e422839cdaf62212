"""What the hooks themselves cost on this machine: programs that do nothing, at the places where the sensor's sit, and at others.

No sensor at these places can be cheaper. The targets of opens, connects and the web server have to be read beside these rows: a
kernel that guards its returns against speculation (Safe RET) pays three times as much for a hook as one that doesn't.
"""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from agent.sensor import cgroups
from agent.sensor.libbpf import Libbpf
from bench.machine import PROJECT
from bench.parts import nginx
from bench.parts.works import WORKS
from bench.rounds import Hooks, Work, cpu_ratios, microseconds, with_and_without
from bench.rows import Row, row
from bench.shop import Shop, bulk
from compile_bpf import run
from tests.containers import mounts

SOURCE = PROJECT / "bench" / "work" / "empty.bpf.c"
TRACEFS = Path("/sys/kernel/tracing")
ALL_BUT_PACKETS = ("every_call", "tcp_state", "connecting", "new_socket")
OURS = (*ALL_BUT_PACKETS, "packet_in", "packet_out")
# Where programs sit, which, and the works that they are tried on.
ARMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("at our places", OURS, ("open-hot", "connect", "datagram", "null")),
    ("at ours but packets", ALL_BUT_PACKETS, ("connect", "datagram")),
    ("packets at tracepoints", (*ALL_BUT_PACKETS, "packet_queued", "packet_received"), ("connect", "datagram")),
    ("on openat alone", ("one_call",), ("open-hot", "null")),
)


def measure(shop: Shop) -> Iterator[Row]:
    """One row a place and work; then the web server."""
    built = shop.workshop.folder / "empty.o"
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    run("clang", "-target", "bpf", "-O2", "-g", include, "-c", str(SOURCE), "-o", str(built))
    with _tracefs():
        for where, programs, shown in ARMS:
            yield from _arm(shop, where, partial(_attached, built, programs), shown)
    yield nginx.measured(
        shop, "nginx: its requests a second, empty programs, at our places", None, partial(_attached, built, OURS)
    )


def _arm(shop: Shop, where: str, hooks: Hooks, shown: tuple[str, ...]) -> Iterator[Row]:
    counts = {work: shop.scaled(count) for _, work, count, _ in WORKS if work in shown}
    works: dict[str, Work] = {work: partial(bulk, work=work, count=count) for work, count in counts.items()}
    for work, of_one in with_and_without(shop, works, hooks).items():
        without, with_ = zip(*of_one, strict=True)
        note = f"{microseconds(list(without)):.2f} → {microseconds(list(with_)):.2f} µs"
        yield row(f"{work}: its CPU, empty programs, {where}", cpu_ratios(of_one), "times", None, note)


@contextmanager
def _attached(built: Path, names: tuple[str, ...]) -> Iterator[None]:
    """Some programs of the object, attached."""
    library = Libbpf()
    links: list[int] = []
    loaded = library.bpf_object__open(str(built).encode())
    root = os.open(cgroups.find().path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        library.bpf_object__load(loaded)
        chosen = [it for it in library.programs(loaded) if library.bpf_program__name(it).decode() in names]
        links += [_attach(library, program, root) for program in chosen]
        yield
    finally:
        for link in links:
            library.bpf_link__destroy(link)
        library.bpf_object__close(loaded)
        os.close(root)


def _attach(library: Libbpf, program: int, root: int) -> int:
    if library.bpf_program__section_name(program).startswith(b"cgroup"):
        return int(library.bpf_program__attach_cgroup(program, root))
    return int(library.bpf_program__attach(program))


@contextmanager
def _tracefs() -> Iterator[None]:
    """Where libbpf looks up which number a single call's tracepoint has."""
    if (TRACEFS / "events").is_dir():
        yield
        return
    subprocess.run(["mount", "-t", "tracefs", "none", TRACEFS], check=True)
    try:
        yield
    finally:
        mounts.unmount(TRACEFS)
