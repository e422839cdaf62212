"""Compiles the BPF programs: `python compile_bpf.py [MACHINE …]`, for this machine if none is named, "all" for all of them.

One object a machine, `agent/sensor/bpf/sensor.MACHINE.o`, MACHINE as `uname -m` says it. Both go into the one wheel: they
hold no code of the machine that compiles them. Needs the standard library alone, so that `make run` needs no build tools.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = Path("agent/sensor/bpf/sensor.bpf.c")
HEADERS = Path("/usr/include/bpf/bpf_helpers.h")
MACHINES = {"x86_64": "x86", "aarch64": "arm64"}  # our name → the kernel's, as libbpf's headers want it

PACKAGES = {"clang": "clang", "llvm-strip": "llvm", str(HEADERS): "libbpf-dev"}  # what is missing → Debian's package


def compile_for(machine: str, root: Path = HERE, folder: Path | None = None) -> Path:
    """Compile the programs for this machine into `folder`, beside the source if None. Returns the object.

    Raises SystemExit with what to install, or with the compiler's own words.
    """
    refuse_without_tools()
    source = root / SOURCE
    target = (folder or source.parent) / f"sensor.{machine}.o"
    part = target.with_suffix(f".{os.getpid()}.part")  # a reader never meets half an object
    try:
        run("clang", *flags(machine), f"-I{source.parent}", "-c", str(source), "-o", str(part))
        run("llvm-strip", "-g", str(part))  # DWARF goes, BTF stays
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def flags(machine: str) -> list[str]:
    """What the programs are compiled with."""
    return ["-target", "bpf", "-mcpu=v3", f"-D__TARGET_ARCH_{MACHINES[machine]}", "-O2", "-g", "-Wall", "-Werror"]


def refuse_without_tools() -> None:
    """End with the packages to install where a tool or a header is missing."""
    missing = [thing for thing in PACKAGES if not (shutil.which(thing) or Path(thing).is_file())]
    if missing:
        packages = " ".join(PACKAGES[thing] for thing in missing)
        sys.exit(f"can't compile the BPF programs: {', '.join(missing)} not found\nhint: apt-get install {packages}")


def run(*command: str) -> None:
    """Run a compiler's step; end with its status if it fails. It has said why on the terminal."""
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(f"can't compile the BPF programs: {command[0]} ended with {status}")


def asked_for(names: list[str]) -> list[str]:
    """The machines that the command line means. Raises SystemExit for one that we don't know."""
    machines = list(MACHINES) if names == ["all"] else names or [platform.machine()]
    unknown = [name for name in machines if name not in MACHINES]
    if unknown:
        sys.exit(f"can't compile for {', '.join(unknown)}\nhint: the machines are: {', '.join(MACHINES)}, all")
    return machines


if __name__ == "__main__":
    for each in asked_for(sys.argv[1:]):
        print(compile_for(each).relative_to(HERE))
