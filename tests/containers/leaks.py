"""What tests left behind: processes, mounts, cgroups, networks, BPF pins, temporary folders.

Other sessions may run on the same machine. A process is ours by the mark in its environment; the rest is ours by its
name, or, while no other session lives, because it is Vedette's at all.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.containers import cgroups, processes
from tests.containers.workshop import PREFIX

# An environment variable, none of the agent's: the pid of the session, or "session:<pid>" for what lives as long as it.
MARK = "TEST_OF_VEDETTE"
SHARED = ("/vedette-test", "/kubepods", "/kubepods/besteffort")  # cgroups that the last session removes
NAMED = re.compile(r"(?:vedette[a-z-]*-|net/vt)(\d+)")
PINS = Path("/sys/fs/bpf")
NAMESPACES = Path("/run/netns")


def traces(session: bool = False) -> set[str]:
    """Everything that could be a leak, each as a line that names it; `session`: also what may stay until the session's end."""
    temporary = Path(tempfile.gettempdir())
    marks = [str(os.getpid()), *([f"session:{os.getpid()}"] if session else [])]
    found = {f"process {line}" for line in _processes([f"{MARK}={mark}".encode() for mark in marks])}
    found |= {f"mount {line}" for line in _mounts() if _known(line)}
    found |= {f"cgroup {folder}" for folder in _folders(*cgroups.roots()) if _known(folder)}
    found |= {f"network namespace {path}" for path in NAMESPACES.glob("*") if _known(path.name)}
    found |= {f"network interface {path}" for path in Path("/sys/class/net").glob("vt*") if session}
    found |= {f"pin {path}" for path in PINS.rglob("*")}
    found |= {f"folder {path}" for path in temporary.glob("vedette*") if not path.name.startswith("vedette-test")}
    return found if session else {trace for trace in found if not trace.endswith(SHARED)}


def left_since(before: set[str], patience_s: float = 3.0, session: bool = False) -> list[str]:
    """What is new and stays. Waits a moment for what is about to go."""
    deadline = time.monotonic() + patience_s
    while True:
        left = sorted(trace for trace in traces(session) - before if _ours(trace))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def _ours(trace: str) -> bool:
    """By its mark or name; what is named by no session or by one that is gone is ours if no other session lives."""
    if trace.startswith("process "):
        return True
    owners = {int(number) for number in NAMED.findall(trace)}
    if os.getpid() in owners:
        return True
    return not any(processes.alive(owner) for owner in owners) and not _others()


def _known(name: str) -> bool:
    return "vedette" in name or "kubepods" in name


def _others() -> bool:
    """Another session lives: it has a folder by its pid."""
    pids = {path.name.removeprefix(PREFIX).partition("-")[0] for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*")}
    return any(pid.isdigit() and int(pid) != os.getpid() and processes.alive(int(pid)) for pid in pids)


def _processes(marks: list[bytes]) -> Iterator[str]:
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            marked = not set(marks).isdisjoint((folder / "environ").read_bytes().split(b"\0"))
            if marked and pid != os.getpid() and processes.alive(pid):
                yield f"{pid} {(folder / 'cmdline').read_bytes().replace(bytes(1), b' ')[:200]!r}"
        except OSError:  # ended meanwhile
            continue


def _mounts() -> list[str]:
    return [" ".join(line.split()[3:5]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _folders(*roots: Path) -> Iterator[str]:
    for root in roots:
        for path, names, _ in os.walk(root):
            yield from (f"{path}/{name}" for name in names)
