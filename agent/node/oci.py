"""Which container is this cgroup? Answered from the runtimes' own records on disk, never from the cgroup's name alone.

    containerd, docker   <state>/io.containerd.runtime.v2.task/<namespace>/<id>/config.json
    CRI-O, podman        <storage>/overlay-containers/<id>/userdata/config.json
    runc by hand         <root>/<id>/state.json

A cgroup is a container's when exactly one record claims its path. Names are hostile: a container may make a cgroup
below its own that is called like another container, but no record claims that path. Bundles vanish when a container
ends, so they are read when its cgroup is made. runc writes its state some tens of ms after the cgroup; the others before.
"""

import os
from collections.abc import Iterator, Sequence
from enum import IntEnum
from math import inf
from time import monotonic
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from agent.node.records import Record, RecordError, parse_bundle, parse_docker, parse_state, parse_stored, read
from agent.node.shapes import Shape, shape_of
from model.origin import Container

CGROUP_MOUNTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_TASKS = "io.containerd.runtime.v2.task"
_RECORDS = 16384  # of one root that are looked at


class RuntimeRoot(Struct, frozen=True):
    """A folder that a runtime keeps its records in."""

    kind: Literal["containerd", "runc", "storage"]
    path: str  # on the host


DEFAULT_ROOTS = (
    RuntimeRoot("containerd", "/run/containerd"),
    RuntimeRoot("containerd", "/run/k3s/containerd"),
    RuntimeRoot("containerd", "/run/k0s/containerd"),
    RuntimeRoot("containerd", "/run/docker/containerd/daemon"),
    RuntimeRoot("storage", "/run/containers/storage"),
    RuntimeRoot("storage", "/var/lib/containers/storage"),
    RuntimeRoot("runc", "/run/runc"),
)


class State(IntEnum):
    """What a cgroup is. The kernel knows the first three; there an unidentified one is a container."""

    UNDECIDED = 0
    CONTAINER = 1
    HOST = 2  # the host's own, or only a parent of containers
    UNIDENTIFIED = 3  # below a runtime's root, or claimed twice: recorded, judged by a default, never taken for the host


class Conflict(Struct, frozen=True):
    """Several records claim one cgroup: none of them is believed (reason identity.claimed_twice)."""

    claimants: tuple[str, ...]  # "runtime/namespace/id"


class Decision(Struct, frozen=True):
    """What the records say of a cgroup now. `final` is false where a record may yet appear."""

    state: State
    container: Container | None = None
    conflict: tuple[str, ...] = ()
    final: bool = True


class _Claim(Struct, frozen=True):
    """A record and where it was found. Kept while its file is unchanged."""

    record: Record
    runtime: str
    namespace: str

    @property
    def key(self) -> str:
        """Records of one container, written by several layers of its runtime, have one key: its bundle."""
        return self.record.bundle.rpartition("/overlay-containers/")[2]

    @property
    def label(self) -> str:
        return f"{self.runtime}/{self.namespace}/{self.record.id}"


_Version: TypeAlias = tuple[int, int, int]  # inode, size and ctime of a record's file
_Place: TypeAlias = tuple[str, str, str, str]  # kind, namespace, id, the record's file


class Runtimes:
    """The records of all runtimes of a host.

    `host_root` is where the host's root is seen; `cgroup_roots` are further folders whose cgroups are containers;
    `cgroup_mounts` is where the host mounts the identity hierarchy, as runc's state names it. A look-up lists the
    runtimes' folders and reads what is new: 6 µs a known container, 55 µs a new one. A look is good
    for `fresh_s`, so that many cgroups at once cost one.
    """

    def __init__(
        self,
        roots: Sequence[RuntimeRoot] = DEFAULT_ROOTS,
        host_root: str = "/",
        cgroup_roots: Sequence[str] = (),
        docker_root: str = "/var/lib/docker",
        cgroup_mounts: Sequence[str] = CGROUP_MOUNTS,
        fresh_s: float = 0.002,
    ) -> None:
        self._roots = tuple(roots)
        self._host = host_root.rstrip("/")
        self._cgroup_roots = tuple(cgroup_roots)
        self._docker = docker_root
        self._mounts = tuple(cgroup_mounts)
        self._fresh_s = fresh_s
        self._looked_s = -inf
        self._known: dict[str, tuple[_Version, _Claim | None]] = {}  # by file; None: it can't be used
        self._by_cgroup: dict[str, list[_Claim]] = {}
        self.unreadable = 0  # records that couldn't be used, each counted once
        self.skipped = 0  # records beyond the limit of a root, in the last look

    def find(self, cgroup_path: str) -> Container | Conflict | None:
        """The container whose record claims exactly this cgroup. Its `cgroup` is 0: the caller knows the id."""
        self._look()
        return self._find(cgroup_path)

    def decide(self, cgroup_path: str) -> Decision:
        """What this cgroup is. A cgroup below a container's is that container's."""
        self._look()
        for path in _upwards(cgroup_path):
            found = self._find(path)
            if isinstance(found, Conflict):
                return Decision(State.UNIDENTIFIED, None, found.claimants)
            if found:
                return Decision(State.CONTAINER, found)
        return self._by_shape(cgroup_path)

    def _by_shape(self, path: str) -> Decision:
        match shape_of(path, self._cgroup_roots):
            case Shape.RUNTIME:
                return Decision(State.UNIDENTIFIED, final=False)
            case Shape.OTHER:
                return Decision(State.HOST, final=False)
            case _:
                return Decision(State.HOST)

    def _find(self, path: str) -> Container | Conflict | None:
        claims = self._by_cgroup.get(path, [])
        if len({claim.key for claim in claims}) > 1:
            claims = [claim for claim in claims if self._is_alive(claim)]
        if len({claim.key for claim in claims}) > 1:
            return Conflict(tuple(sorted(claim.label for claim in claims)))
        return _container(claims[0]) if claims else None

    def _look(self) -> None:
        if monotonic() - self._looked_s >= self._fresh_s:
            self._read_new()
            self._looked_s = monotonic()

    def _read_new(self) -> None:
        """Read what is new, forget what is gone. A record that is only half written is read again when it has changed."""
        self.skipped = 0
        known, self._known = self._known, {}
        for place in self._places():
            version = _version(place[3])
            if version is not None:
                before = known.get(place[3])
                self._known[place[3]] = before if before and before[0] == version else (version, self._read(place))
        self._by_cgroup = {}
        for _, claim in self._known.values():
            if claim and claim.record.cgroup:
                self._by_cgroup.setdefault(claim.record.cgroup, []).append(claim)

    def _places(self) -> Iterator[_Place]:
        for root in self._roots:
            folder = self._host + root.path
            match root.kind:
                case "containerd":
                    for namespace in self._names(f"{folder}/{_TASKS}"):
                        for name in self._names(f"{folder}/{_TASKS}/{namespace}"):
                            yield "containerd", namespace, name, f"{folder}/{_TASKS}/{namespace}/{name}/config.json"
                case "storage":
                    for name in self._names(f"{folder}/overlay-containers"):
                        yield "storage", "", name, f"{folder}/overlay-containers/{name}/userdata/config.json"
                case "runc":
                    for name in self._names(folder):
                        yield "runc", "", name, f"{folder}/{name}/state.json"

    def _names(self, path: str) -> list[str]:
        """Names in a folder; those with a leading dot are bundles on their way out."""
        try:
            with os.scandir(path) as entries:
                names = [entry.name for entry in entries if not entry.name.startswith(".")]
        except OSError:
            return []  # this runtime isn't here, or its last container of this namespace just went
        self.skipped += max(0, len(names) - _RECORDS)
        return names[:_RECORDS]

    def _read(self, place: _Place) -> _Claim | None:
        kind, namespace, name, file = place
        try:
            raw = read(file)
            if kind == "runc":
                return _Claim(parse_state(raw, self._mounts), "runc", "")
            record = parse_bundle(raw, name, file.removesuffix("/config.json")[len(self._host) :])
        except RecordError:
            self.unreadable += 1
            return None
        return _Claim(self._named(record, kind, namespace), _runtime(kind, namespace, record.manager), namespace)

    def _named(self, record: Record, kind: str, namespace: str) -> Record:
        """With the name and image that docker and podman keep outside of the bundle. A pod's sandbox has no name."""
        if record.pod is not None:
            return record
        name, image = self._outer_names(record.id, kind, namespace)
        return replace(record, name=record.name or name or record.id, image=record.image or image)

    def _outer_names(self, name: str, kind: str, namespace: str) -> tuple[str, str]:
        try:
            if kind == "containerd" and namespace == "moby":
                return parse_docker(read(f"{self._host}{self._docker}/containers/{name}/config.v2.json"))
            if kind == "storage":
                return self._stored(name)
        except RecordError:
            self.unreadable += 1
        return "", ""

    def _stored(self, name: str) -> tuple[str, str]:
        for root in self._roots:
            file = f"{self._host}{root.path}/overlay-containers/containers.json"
            if root.kind == "storage" and _version(file):
                found = parse_stored(read(file)).get(name)
                if found:
                    return found
        return "", ""

    def _is_alive(self, claim: _Claim) -> bool:
        """Whether a plain runc container's init still runs; a stopped one keeps its state until it is deleted."""
        record = claim.record
        if not record.init_pid:
            return True
        try:
            fields = read(f"{self._host}/proc/{record.init_pid}/stat").rpartition(b")")[2].split()
        except RecordError:
            return False
        return len(fields) > 19 and fields[19] == b"%d" % record.init_start


def _container(claim: _Claim) -> Container:
    record = claim.record
    return Container(
        cgroup=0,
        cgroup_path=record.cgroup,
        id=record.id,
        name=record.name,
        image=record.image,
        runtime=claim.runtime,
        namespace=claim.namespace,
        pod=record.pod,
        privileged=record.privileged,
        root=record.root,
    )


def _runtime(kind: str, namespace: str, manager: str) -> str:
    if kind == "containerd":
        return "docker" if namespace == "moby" else "containerd"
    return "cri-o" if manager == "cri-o" else "podman"


def _version(file: str) -> _Version | None:
    try:
        found = os.lstat(file)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_ctime_ns


def _upwards(path: str) -> Iterator[str]:
    while path not in ("", "/"):
        yield path
        path = path.rpartition("/")[0]
