"""Valid events; a test changes what matters to it."""

from agent.node.containers import Containers
from agent.node.oci import Decision, State
from model.event import (
    Access,
    Actor,
    Cgroup,
    Dns,
    Exec,
    Exit,
    File,
    Flag,
    Handover,
    Layer,
    Mount,
    Net,
    Open,
    Protocol,
    Session,
)
from model.event import Direction as Way
from model.origin import Container

BOX = 77
MS = 1_000_000
S = 1000 * MS
PROGRAM = File("/usr/bin/web", Layer.IMAGE, Flag(0), 90, 5, 8, 0, 11)


class Records:
    """Runtimes whose records a test writes. Everything else is the host's, unless it is below a runtime's root."""

    def __init__(self, *known: str) -> None:
        self.known = {path: container(path) for path in known}
        self.below = "/kubepods/"
        self.conflict: tuple[str, ...] = ()
        self.asked: list[str] = []

    def decide(self, cgroup_path: str) -> Decision:
        self.asked.append(cgroup_path)
        if self.conflict:
            return Decision(State.UNIDENTIFIED, None, self.conflict)
        if cgroup_path in self.known:
            return Decision(State.CONTAINER, self.known[cgroup_path])
        if cgroup_path.startswith(self.below) or not cgroup_path:
            return Decision(State.UNIDENTIFIED, final=False)
        return Decision(State.HOST, final=cgroup_path.endswith(".service"))


def container(path: str) -> Container:
    name = path.rpartition("/")[2]
    return Container(0, path, name, name, "box:1", "runc")


def table(records: Records | None = None, path: str = "/default/web") -> Containers:
    """A table with one container, whose cgroup is BOX."""
    containers = Containers(records or Records(path))
    containers.take_cgroup(made(path))
    return containers


def made(path: str, cgroup: int = BOX, parent: int = 1, at: int = 0) -> Cgroup:
    return Cgroup(at, cgroup, parent, path, True)


def removed(cgroup: int = BOX, at: int = 0) -> Cgroup:
    return Cgroup(at, cgroup, 1, "", False)


def actor(pid: int = 100, by: int = 0, cgroup: int = BOX, session: Session = Session.MAIN) -> Actor:
    """A process that started at ten times its pid, below process `by`."""
    return Actor(cgroup, pid, pid * 10, by, by * 10, by, by * 10, session, 1, 0, False, "web")


def executed(who: Actor, path: str = "/usr/bin/web", *argv: str, at: int = 0) -> Exec:
    program = File(path, Layer.IMAGE, Flag(0), 90, 5, 8, 0, 11)
    return Exec(at, who, program, None, argv, 0, "/", "", 0, 0, 0, 0, 0, False, 0, (), False)


def ended(who: Actor, at: int = 0) -> Exit:
    return Exit(at, who, 0, 0, 0)


def opened(who: Actor) -> Open:
    return Open(0, who, PROGRAM, Access.READ, b"flow")


def connected(who: Actor, address: str, at: int = 0) -> Net:
    return Net(at, who, Way.EGRESS, Protocol.TCP, address, 443, 0, 0, b"flow")


def answered(name: str, *addresses: str, ttl_s: int = 30, at: int = 0, cgroup: int = BOX) -> Dns:
    return Dns(at, cgroup, "10.0.0.53", name, 1, 0, addresses, (), ttl_s)


def handover(cgroup: int = BOX, at: int = 0) -> Handover:
    return Handover(at, actor(cgroup=cgroup), 4)


def mount(device: int, root: str, point: str, filesystem: int = 0xEF53) -> Mount:
    return Mount(0, BOX, 0, device, root, point, filesystem, point == "/")
