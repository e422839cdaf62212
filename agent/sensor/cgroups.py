"""The host's cgroup hierarchies: which one names containers, and where hooks on all of them are attached."""

from dataclasses import dataclass
from pathlib import Path

_ROOT_INODE = 1  # the root of a whole hierarchy; inside a private cgroup namespace the "root" has another number
_V1_PREFERRED = ("pids", "memory", "devices", "cpu")


class NoCgroups(OSError):  # noqa: N818 (a state of the host, told to people)
    """No cgroup hierarchy of the host can be seen from here."""


@dataclass(frozen=True)
class Hierarchy:
    """Where a container's cgroup id comes from."""

    path: Path  # mount point of its root
    subsystem: int  # the kernel's index of the v1 subsystem; -1: the v2 hierarchy
    number: int  # the hierarchy's id; v2: 0

    @property
    def unified(self) -> bool:
        """Whether it is the v2 hierarchy, the only one that takes cgroup hooks."""
        return self.subsystem < 0


def find(proc: Path = Path("/proc")) -> Hierarchy:
    """The host's v2 hierarchy, else a v1 one that container runtimes use. Raises NoCgroups with what to do."""
    mounts = _mounts(proc)
    for kind, options, point in mounts:
        if kind == "cgroup2" and _is_root(point):
            return Hierarchy(point, -1, 0)
        del options
    subsystems = _subsystems(proc)
    for name in _V1_PREFERRED:
        for kind, options, point in mounts:
            if kind == "cgroup" and name in options and name in subsystems and _is_root(point):
                return Hierarchy(point, *subsystems[name])
    raise NoCgroups(_advice(mounts))


def _advice(mounts: list[tuple[str, list[str], Path]]) -> str:
    if not mounts:
        return "no cgroup hierarchy is mounted\nhint: mount -t cgroup2 none /sys/fs/cgroup"
    seen = ", ".join(str(point) for _, _, point in mounts)
    return (
        f"{seen}: not the host's root (its inode number isn't 1), so hooks there would see nothing\n"
        "hint: run in the host's cgroup namespace, or mount the host's /sys/fs/cgroup (docker run --cgroupns=host)"
    )


def _mounts(proc: Path) -> list[tuple[str, list[str], Path]]:
    """Type, super options and mount point of the cgroup mounts, from mountinfo (proc_pid_mountinfo(5))."""
    found = []
    for line in (proc / "self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _source, options = after.split(" ", 2)
        if kind.startswith("cgroup"):
            point = before.split(" ")[4].encode().decode("unicode_escape")
            found.append((kind, options.split(","), Path(point)))
    return found


def _is_root(point: Path) -> bool:
    try:
        return point.stat().st_ino == _ROOT_INODE
    except OSError:
        return False  # hidden by another mount: not the one


def _subsystems(proc: Path) -> dict[str, tuple[int, int]]:
    """Index and hierarchy id of each v1 subsystem that is mounted."""
    lines = [line.split() for line in (proc / "cgroups").read_text().splitlines() if not line.startswith("#")]
    return {name: (index, int(number)) for index, (name, number, *_) in enumerate(lines) if number != "0"}
