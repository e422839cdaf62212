"""Where paths of rules lead: in an image's folder, or in a container that runs.

What a container has behind a name may never answer (FUSE, a network filesystem): its root is looked at by the killable worker,
with a deadline. An image's folder is the caller's own.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from select import select
from typing import Any

import psutil
from msgspec import Struct

from agent.node.resolve import find
from agent.node.worker import Job, Result, Worker
from agent.status import is_running, read_status
from model.elsewhere import Place
from model.origin import Container, Pod
from model.policy import Policy
from model.text import from_bytes, printable

DEADLINE_S = 5.0
_AT_ONCE = 6  # paths of one job: of the longest ones, one message of JSON holds no more


class PlaceError(Exception):
    """There is no such image or container, or it does not answer. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Running(Struct, frozen=True):
    """A container as the agent's status names it."""

    name: str
    id: str
    image: str
    cgroup: str  # its path in the hierarchy

    def is_selected_by(self, policy: Policy) -> bool:
        """Whether a policy is for it. Its pod is not in the status: of a policy's namespace it is believed to be."""
        namespace = policy.selector.namespace
        pod = Pod("", namespace, "") if namespace else None
        return policy.selects(Container(0, self.cgroup, self.id, self.name, self.image, "", pod=pod))


def in_image(folder: Path, paths: Sequence[str]) -> dict[str, Place]:
    """Where each path leads in this unpacked image. Raises PlaceError."""
    try:
        root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PlaceError(f"{folder}: {error.strerror}", "name the folder that an image was unpacked into") from error
    try:
        return {path: found for path in paths if (found := _place(root, path)) is not None}
    finally:
        os.close(root)


def _place(root: int, path: str) -> Place | None:
    try:
        found = find(root, path)
    except OSError:
        return None  # a loop of links, or a folder that may not be searched: nothing can be said of it
    return Place(_readable(found.path), found.exists)


def container(folder: Path, name: str) -> Running:
    """The running container with this name, or whose id begins so. `folder`: of the agent's log. Raises PlaceError."""
    try:
        status = read_status(folder)
    except OSError as error:
        raise PlaceError(f"{folder}: {error.strerror}", "run it as root, or let this user read it") from error
    if status is None or not is_running(status):
        raise PlaceError(f"no agent runs on {folder}", "it knows the containers; without it: --image /proc/PID/root")
    all_of_them = [_running(one) for one in status["containers"]]
    found = [one for one in all_of_them if name and (one.name == name or one.id.startswith(name))]
    if len(found) != 1:
        what = "several containers are" if found else "no container is"
        names = ", ".join(sorted({printable(one.name or one.id) for one in found or all_of_them})[:8])
        raise PlaceError(f"{what} named {printable(name)}", f"take the id, or a longer part of it; there are: {names or 'none'}")
    return found[0]


def _running(one: dict[str, Any]) -> Running:
    return Running(one["name"], one["id"], one["image"], one["cgroup"])


def in_container(one: Running, paths: Sequence[str]) -> dict[str, Place]:
    """Where each path leads in the root of this container's first process. Raises PlaceError, also where it ended meanwhile.

    The workload can move that root (chroot): good for advice, not for a verdict.
    """
    name = printable(one.name or one.id)
    pid = _first_process(one.cgroup)
    if not pid:
        raise PlaceError(f"{name} has no process any more", "is it still running?")
    results = _ask(f"/proc/{pid}/root", paths)
    if not _is_inside(pid, one.cgroup):
        raise PlaceError(f"{name} ended", "is it still running?")
    places: dict[str, Place] = {}
    for result in results:
        if result.content is None:
            raise PlaceError(f"{name}: its files can't be looked at: {printable(result.error)}", "run it as root; or use --image")
        found = zip(result.key, json.loads(result.content), strict=True)
        places |= {path: Place(_readable(one[0]), one[1]) for path, one in found if one is not None}
    return places


def _ask(root: str, paths: Sequence[str]) -> list[Result]:
    worker = Worker(time.monotonic)
    try:
        results: list[Result] = []
        for start in range(0, len(paths), _AT_ONCE):
            part = tuple(paths[start : start + _AT_ONCE])
            worker.submit(Job(part, {"do": "resolve", "root": root, "paths": part}, DEADLINE_S))
            results += _answers(worker)
        return results
    finally:
        worker.close()


def _answers(worker: Worker) -> Iterator[Result]:
    while worker.busy:
        due = worker.due()
        select([worker], [], [], max(0.0, due - time.monotonic()) if due else DEADLINE_S)
        yield from worker.results()


def _first_process(cgroup: str) -> int:
    """The oldest process of a cgroup; 0 if there is none."""
    inside = [process for process in psutil.process_iter(["create_time"]) if _is_inside(process.pid, cgroup)]
    return min(inside, key=lambda process: (process.info["create_time"] or 0.0, process.pid)).pid if inside else 0


def _is_inside(pid: int, cgroup: str) -> bool:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_bytes().splitlines()
    except OSError:
        return False
    found = (from_bytes(line.split(b":", 2)[2]) for line in lines if line.count(b":") >= 2)
    return any(path == cgroup or path.startswith(cgroup + "/") for path in found)


def _readable(path: str) -> str:
    """As rules are written; bytes that are no text are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
