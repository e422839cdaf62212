"""Records of one small world: container web, its processes, and a log that an agent could have written."""

import json
import os
import time
from pathlib import Path
from typing import Any

from msgspec import structs

from agent.outputs.log import Bounds, Log
from agent.outputs.stamp import boot_ns
from agent.status import write_status
from model.event import Access, Exec, Exit, Layer, Open, Session
from model.origin import Container, Origin, Process
from model.record import Finding, Record
from model.verdict import Verdict
from tests.outputs import builders
from tests.outputs.builders import SECOND_NS, T0, WHERE, container, file

WEB = structs.replace(container(), image="docker.io/library/nginx:1.27")
DB = structs.replace(container("db", "postgres:16"), cgroup=100, cgroup_path="/system.slice/db.scope", id="cd" * 32)
STAMP = builders.stamp()


def process(
    id_: str, path: str = "/bin/sh", parent: str = "", *, session: Session = Session.MAIN, pid: int = 0, **more: Any
) -> Process:
    number = pid or 100 + sum(map(ord, id_))
    given = {"argv": (path,), "euid": 0, "started_ns": T0, **more}
    return Process(id=id_, pid=number, path=path, session=session, parent=parent, **given)


def origin(of: Container = WEB, by: Process | None = None) -> Origin:
    return Origin(of, by or process("main", "/usr/sbin/nginx"))


def record(event: Any, of: Origin | None = None, verdict: Verdict | None = None) -> Record:
    return STAMP.record(event, of or origin(), verdict)


def exec_(by: Process, time_ns: int = T0, of: Container = WEB) -> Record:
    return record(builders.exec_(by.path, time_ns), Origin(of, by))


def exit_(by: Process, time_ns: int = T0, *, status: int = 0, signal: int = 0) -> Record:
    return record(Exit(time_ns, builders.actor(), status, signal, SECOND_NS), Origin(WEB, by))


def open_(path: str = "/etc/passwd", time_ns: int = T0, access: Access = Access.READ, of: Origin | None = None) -> Record:
    return record(Open(time_ns, builders.actor(), file(path, Layer.WRITABLE), access, b"f" * 40), of)


def net(address: str, time_ns: int = T0, *, flow: bytes = b"n" * 40, name: str = "", result: int = 0) -> Record:
    return record(structs.replace(builders.net(address, time_ns=time_ns), flow=flow, name=name, result=result))


def counted(added: int, time_ns: int = T0, flow: bytes = b"f" * 40) -> Record:
    return record(structs.replace(builders.flow_count(added, flow, time_ns), last_ns=time_ns))


def gap(count: int = 3, place: str = "ring.urgent", time_ns: int = T0, of: Origin | None = None) -> Record:
    return STAMP.record(structs.replace(builders.gap(place, count=count), time_ns=time_ns), of)


def finding(
    of: Record, reason: str = "exec.not_allowed", subject: str = "/tmp/x", container: str = "web", count: int = 1
) -> Finding:
    return Finding(
        id="agent-1/boot/evidence/7", time=of.time, where=WHERE, fingerprint=f"{reason}{subject}", reason=reason, severity="high",
        subject=subject, policy="web", rule="web/exec", source="rules/web.yaml:4:3", container=container, image="nginx",
        session="main", lineage=(), count=count, record=of.id,
    )  # fmt: skip


class FakeAgent:
    """What a running agent leaves: a real log, and a status file with this process's pid."""

    def __init__(self, folder: Path, bounds: Bounds = Bounds(sync_s=60)) -> None:  # noqa: B008 - frozen
        self.folder = folder
        self.log = Log(folder, WHERE, bounds=bounds)
        self.status()

    def status(self, *containers: Container, **more: Any) -> None:
        listed = [
            {"id": one.id, "name": one.name, "image": one.image, "runtime": one.runtime, "cgroup": one.cgroup_path}
            for one in containers
        ]
        told = {
            "pid": os.getpid(),
            "version": "0.1.0",
            "time": time.time(),
            "up_s": 300,
            "ready": True,
            "unready": [],
            "losses": {},
        }
        write_status(self.folder, json.dumps({**told, "containers": listed, **more}))

    def write(self, *events: Any, of: Origin | None = None) -> list[Record]:
        """Records of events; their times are those that they have."""
        records = [self.log.stamp.record(event, of or origin()) for event in events]
        position = self.log.write_all(records)[-1]
        builders.eventually(lambda: self.log.taken() >= position)
        return records

    def tell(self, finding: Finding) -> None:
        position = self.log.write(finding)
        builders.eventually(lambda: self.log.taken() >= position)


def now_exec(path: str = "/bin/sh") -> Exec:
    return builders.exec_(path, boot_ns())
