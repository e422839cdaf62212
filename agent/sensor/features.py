"""What this kernel offers. Asked of the kernel itself, never concluded from its version."""

import os
import platform
from pathlib import Path

from agent.sensor.libbpf import Libbpf

_FUNCTION, _TYPEDEF = 12, 8
_BTF = Path("/sys/kernel/btf/vmlinux")
_NEEDED = {"bpf_rdonly_cast": "Linux 6.2", "bpf_loop": "Linux 5.17"}


class SensorError(RuntimeError):
    """The sensor can't run here. The message says why and what to do."""


class Features:
    """The kernel's own types. Close it: they take some 10 MB."""

    def __init__(self, library: Libbpf) -> None:
        if not _BTF.exists():
            raise SensorError(f"{_BTF} is missing: this kernel was built without BTF\nhint: CONFIG_DEBUG_INFO_BTF=y")
        self._library = library
        self._btf: int = library.btf__load_vmlinux_btf()

    def has_tracepoint(self, name: str) -> bool:
        """Whether BTF knows the tracepoint: then a tp_btf program for it can be loaded."""
        return self._has(f"btf_trace_{name}", _TYPEDEF)

    def has_function(self, name: str) -> bool:
        """Whether the kernel has the function. For kfuncs, and for helpers, which are functions of the same name."""
        return self._has(name, _FUNCTION)

    def require(self) -> None:
        """Raises SensorError where something is missing that every program needs."""
        for name, since in _NEEDED.items():
            if not self.has_function(name):
                raise SensorError(f"this kernel has no {name}\nhint: {since} or newer has it")

    def _has(self, name: str, kind: int) -> bool:
        return int(self._library.btf__find_by_name_kind(self._btf, name.encode(), kind)) > 0

    def close(self) -> None:
        """Give the types back."""
        self._library.btf__free(self._btf)


def symbol(name: str, symbols: Path = Path("/proc/kallsyms")) -> int:
    """Address of a kernel symbol; 0 where the kernel hides it or hasn't it."""
    suffix = f" {name}"
    with symbols.open() as lines:
        return next((int(line.split()[0], 16) for line in lines if line.rstrip().endswith(suffix)), 0)


def object_path(folder: Path = Path(__file__).parent / "bpf") -> Path:
    """The compiled object for this machine. Raises SensorError with what to do where there is none."""
    path = folder / f"sensor.{platform.machine()}.o"
    if not path.exists():
        raise SensorError(f"{path} is missing\nhint: `make object` compiles it (needs clang, llvm, libbpf-dev)")
    return path


def refused(problem: OSError) -> str:
    """Why the kernel refused, for people."""
    if problem.errno in (1, 13) and os.geteuid() != 0:
        return f"{problem.strerror}: not root\nhint: run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_PTRACE"
    return str(problem.strerror or problem)
