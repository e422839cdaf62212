"""What a program's bytes are: each executed or loaded file is hashed once, by the worker, and told as a `program` event."""

import time
from collections import OrderedDict
from collections.abc import Callable

from agent.node.hashes import Hashes, Id, id_of
from agent.node.locate import Node
from agent.node.worker import Worker
from model.event import Event, Exec, File, Layer, Load, Program
from model.record import Record

ASKED = 8192
_UNREADABLE = (Layer.HOST, Layer.MEMFD, Layer.NEW_MOUNT)  # what a workload mounted may never answer


class Hashing:
    """An output that asks, and a timer that tells. Belongs to the loop; only the worker touches a container's files."""

    def __init__(self, node: Node, see: Callable[[Event], None], proc: str) -> None:
        self._node, self._see = node, see
        self.worker = Worker(time.monotonic)
        self._hashes = Hashes(self.worker, proc)
        self._of: OrderedDict[Id, tuple[int, File]] = OrderedDict()

    def write(self, record: Record) -> None:
        """Have the files of an exec or a load hashed."""
        event = record.event
        if isinstance(event, Exec):
            self._want(event.file, event.actor.pid, event.actor.container, is_program=True)
            if event.script:
                self._want(event.script, event.actor.pid, event.actor.container, is_program=False)
        elif isinstance(event, Load):
            self._want(event.file, event.actor.pid, event.actor.container, is_program=False)

    def _want(self, file: File, pid: int, cgroup: int, *, is_program: bool) -> None:
        if file.layer in _UNREADABLE:
            return
        container = self._node.containers.of(cgroup)
        root = container.root if container else ""
        if self._hashes.want(file, pid, root, is_program=is_program):
            self._of[id_of(file)] = (cgroup, file)
            if len(self._of) > ASKED:
                self._of.popitem(last=False)

    def tick(self) -> None:
        """Tell what the worker found."""
        for result in self.worker.results():
            self._hashes.take(result)
            asked = self._of.pop(result.key, None)
            if asked:
                digest = result.content.decode() if result.content is not None else ""
                now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                self._see(Program(now, asked[0], asked[1], digest, result.error))

    def close(self) -> None:
        """End the worker."""
        self.worker.close()
