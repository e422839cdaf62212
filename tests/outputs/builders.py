"""Valid objects; a test changes the one thing that matters."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import structs

from agent.outputs.stamp import Clock, Stamp, log_of
from model.event import Access, Actor, Direction, Exec, File, Flag, FlowCount, Gap, Layer, Net, Open, Protocol, Session
from model.origin import Container, Origin, Pod, Process
from model.record import Finding, Note, Record, Where
from model.verdict import Mode, Outcome, Reason, Severity, Verdict

BOOT = "1f0c9a3b-5d1e-4c3f-9a55-0e8f6f1d2c3b"
WHERE = Where("agent-1", BOOT, "node-1")
SECOND_NS = 1_000_000_000
T0 = 1000 * SECOND_NS
OFFSET_NS = 1_750_000_000 * SECOND_NS


def stamp() -> Stamp:
    return Stamp(WHERE, Clock(OFFSET_NS))


def actor(session: Session = Session.MAIN, pid: int = 4711) -> Actor:
    return Actor(99, pid, T0 - 5, 1, 1, 1, 1, session, 77, 0, False, "sh")


def file(path: str = "/bin/sh", layer: Layer = Layer.IMAGE) -> File:
    return File(path, layer, Flag(0), 1, 2, 1, 3, 0)


def exec_(path: str = "/bin/sh", time_ns: int = T0, session: Session = Session.MAIN, argv: tuple[str, ...] = ("sh",)) -> Exec:
    return Exec(time_ns, actor(session), file(path), None, argv, 3, "/", "", 0, 0, 4294967295, 0, 0, False, 0, (), False)


def open_(path: str = "/etc/passwd", time_ns: int = T0, flow: bytes = b"f" * 40, session: Session = Session.MAIN) -> Open:
    return Open(time_ns, actor(session), file(path), Access.READ, flow)


def net(address: str = "192.0.2.7", port: int = 443, time_ns: int = T0, direction: Direction = Direction.EGRESS) -> Net:
    return Net(time_ns, actor(), direction, Protocol.TCP, address, port, 0, 0, b"n" * 40)


def flow_count(count: int, flow: bytes = b"f" * 40, time_ns: int = T0, *, final: bool = False) -> FlowCount:
    return FlowCount(time_ns, flow, 99, Session.MAIN, 3, count, count, T0, time_ns, 4711, 0, "", final)


def gap(place: str = "ring.urgent", what: str = "exec", count: int = 3) -> Gap:
    return Gap(T0, 99, place, what, count, T0 - SECOND_NS)


def container(name: str = "web", image: str = "docker.io/library/nginx:1.27@sha256:abc", id_: str = "ab" * 32) -> Container:
    return Container(99, f"/system.slice/{id_}.scope", id_, name, image, "containerd", "default")


def in_pod(pod: str, namespace: str = "shop") -> Container:
    return structs.replace(container(), pod=Pod(pod, namespace, "uid"))


def origin(of: Container | None = None, lineage: tuple[str, ...] = ("/usr/sbin/nginx",)) -> Origin:
    process = Process("p1", 4711, T0, "/bin/sh", ("sh",), Session.MAIN, 0, "p0")
    return Origin(of or container(), process, lineage)


def violation(reason: Reason = Reason.EXEC_NOT_ALLOWED, mode: Mode = Mode.ALERT, rule: str = "web/exec") -> Verdict:
    verb = reason.value.partition(".")[0]
    return Verdict(Outcome.VIOLATION, verb, reason, mode, 1, rule, "rules/web.yaml:4:3", "web", Severity.HIGH)


ALLOWED = Verdict(Outcome.ALLOWED, "exec", Reason.ALLOWED, Mode.ALERT, 1, "web/exec/allow/1", "rules/web.yaml:5:3", "web")


def eventually(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait for a condition; fail at the deadline."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def written(folder: Path, *entries: Record | Finding | Note) -> Path:
    """The folder, with a log of these entries."""
    folder.mkdir(exist_ok=True)
    lines: dict[str, bytes] = {}
    for entry in entries:
        name = log_of(entry)
        lines[name] = lines.get(name, b"") + msgspec.json.encode(entry) + b"\n"
    for name, content in lines.items():
        (folder / f"{name}-{BOOT[:8]}-0.jsonl").write_bytes(content)
    return folder
