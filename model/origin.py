"""Who did it: container, process, node."""

from msgspec import Struct

from model.event import Session


class Pod(Struct, frozen=True, gc=False):
    """The pod as the runtime's own annotations name it. From `io.kubernetes.*`."""

    name: str
    namespace: str
    uid: str


class Container(Struct, frozen=True):
    """A container, as the runtime's record on disk describes it. The environment is never kept."""

    cgroup: int  # cgroup id: inode of its directory
    cgroup_path: str
    id: str  # the runtime's id; "" while unidentified
    name: str
    image: str  # the reference it was started from; "" if the runtime's record has none
    runtime: str  # containerd, cri-o, podman, docker, runc, or "unidentified"
    namespace: str = ""  # the runtime's own (containerd: default, k8s.io, moby …)
    image_digest: str = ""
    pod: Pod | None = None
    privileged: bool = False
    root: str = ""  # the root filesystem's folder on the host
    started_ns: int = 0


class Process(Struct, frozen=True):
    """A process since its last exec. Its id is a hash of (boot id, pid, start), so a reused pid is another process."""

    id: str
    pid: int
    started_ns: int
    path: str
    argv: tuple[str, ...]  # redacted
    session: Session
    euid: int
    parent: str  # id of the nearest process up the creators that replaced its program; "" if unknown


class Origin(Struct, frozen=True):
    """Where an event comes from."""

    container: Container
    process: Process | None
    lineage: tuple[str, ...] = ()  # programs from the parent upwards, at most 8
