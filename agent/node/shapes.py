"""What a cgroup's path alone says: a runtime's container, a parent of containers, or the host's own.

A name is never proof of an identity, only of where to be careful: what lies below a runtime's root and has no record is
unidentified, never the host's.
"""

import re
from enum import Enum

_KUBEPODS = re.compile(r"kubepods(?:$|[.-])")
_QUALITY = r"kubepods(?:-(?:besteffort|burstable))?(?:\.slice)?|besteffort|burstable"
_POD = r"(?:kubepods(?:-(?:besteffort|burstable))?-)?pod[0-9a-zA-Z_-]+(?:\.slice)?"
_KUBE_PARENT = re.compile(f"{_QUALITY}|{_POD}")
_MONITOR = re.compile(r"(?:libpod-conmon|crio-conmon)-[0-9a-f]+\.scope")
_SCOPE = re.compile(r"(?:docker|libpod|crio|cri-containerd|nerdctl|containerd)-.+(?<!\.service)(?<!\.socket)(?<!\.slice)")
_UNIT = re.compile(r".+\.(?:slice|service|socket|mount|swap)|session-.+\.scope|init\.scope")
_PARENTS = ("docker", "libpod_parent", "libpod")
_KUBE_LEVELS = 3  # kubepods / quality of service / pod


class Shape(Enum):
    """What may be said of a cgroup without a record."""

    RUNTIME = "runtime"  # below a runtime's root: unidentified
    PARENT = "parent"  # made by kubelet or a runtime to hold containers
    UNIT = "unit"  # systemd's own kinds of units
    OTHER = "other"  # a runtime may yet claim it: its record can come after the cgroup


def shape_of(path: str, roots: tuple[str, ...] = ()) -> Shape:
    """The shape of a cgroup's path. `roots` are further folders that runtimes put containers in."""
    steps = path.strip("/").split("/")
    last = steps[-1]
    if not last:
        return Shape.PARENT if path == "/" else Shape.RUNTIME
    if _MONITOR.fullmatch(last):
        return Shape.UNIT
    if any(_KUBEPODS.match(step) for step in steps):
        return Shape.PARENT if _only_parents(steps) else Shape.RUNTIME
    if any(_SCOPE.fullmatch(step) for step in steps) or _below(path, ("/docker", "/libpod_parent", *roots)):
        return Shape.RUNTIME
    if last in _PARENTS or path.rstrip("/") in roots:
        return Shape.PARENT
    return Shape.UNIT if _UNIT.fullmatch(last) else Shape.OTHER


def _only_parents(steps: list[str]) -> bool:
    first = next(index for index, step in enumerate(steps) if _KUBEPODS.match(step))
    return len(steps) - first <= _KUBE_LEVELS and all(_KUBE_PARENT.fullmatch(step) for step in steps[first:])


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path.startswith(root + "/") for root in roots)
