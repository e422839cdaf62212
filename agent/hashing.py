"""What a program's bytes are: each executed or loaded file is hashed once, by the worker, and told as a `program` event.

Programs of an image are hashed ahead, see `agent.node.ahead`: their event comes with their first exec.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from agent.node.ahead import Ahead, Budget
from agent.node.hashes import Hashes, Id, id_of
from agent.node.locate import Node
from agent.node.worker import Worker
from agent.outputs.stamp import boot_ns
from agent.settings import Settings
from model.event import Event, Exec, File, Layer, Load, Program
from model.record import Record

ASKED = 8192
_UNREADABLE = (Layer.HOST, Layer.MEMFD, Layer.NEW_MOUNT)  # what a workload mounted may never answer


class Hashing:
    """An output that asks, and a timer that tells. Belongs to the loop; only the worker touches a container's files."""

    def __init__(self, node: Node, see: Callable[[Event], None], settings: Settings) -> None:
        self._node, self._see = node, see
        self.worker = Worker(time.monotonic)
        proc, ahead = str(settings.node.proc_root), settings.hash_ahead
        self._hashes = Hashes(self.worker, proc)
        budget = Budget(ahead.programs, ahead.read_bytes, ahead.give_up_s)
        self._ahead = Ahead(self.worker, self._hashes, budget, time.monotonic, proc, str(settings.node.host_root))
        self._of: OrderedDict[Id, tuple[int, File]] = OrderedDict()

    def write(self, record: Record) -> None:
        """Have the files of an exec or a load hashed."""
        event = record.event
        if isinstance(event, Exec):
            if event.file.layer is Layer.IMAGE and record.origin:
                self._ahead.begin(record.origin.container.cgroup, event.file.device, event.actor.pid)
            self._want(event.file, event.actor.pid, event.actor.container, is_program=True)
            if event.script:
                self._want(event.script, event.actor.pid, event.actor.container, is_program=False)
        elif isinstance(event, Load):
            self._want(event.file, event.actor.pid, event.actor.container, is_program=False)

    def _want(self, file: File, pid: int, cgroup: int, *, is_program: bool) -> None:
        if file.layer in _UNREADABLE:
            return
        if digest := self._hashes.first_use(file):
            self._see(Program(boot_ns(), cgroup, file, digest, ""))
            return
        container = self._node.containers.of(cgroup)
        root = container.root if container else ""
        if self._hashes.want(file, pid, root, is_program=is_program):
            self._of[id_of(file)] = (cgroup, file)
            if len(self._of) > ASKED:
                self._of.popitem(last=False)

    @property
    def busy(self) -> bool:
        """Whether `tick` has something to do."""
        return self.worker.busy or self._ahead.busy

    def counts(self) -> dict[str, int]:
        """Files that were read because they were used, that were read ahead, and of these, that were used since."""
        return {"read": self._hashes.read, "read_ahead": self._ahead.read, "foreseen": self._hashes.foreseen}

    def tick(self) -> None:
        """Tell what the worker found."""
        for result in self.worker.results():
            if self._ahead.take(result):
                continue
            self._hashes.take(result)
            asked = self._of.pop(result.key, None)
            if asked:
                digest = result.content.decode() if result.content is not None else ""
                self._see(Program(boot_ns(), asked[0], asked[1], digest, result.error))
        self._ahead.step()

    def rest(self) -> None:
        """Now and then: give back the memory of a worker that has nothing to do."""
        self.worker.rest()

    def close(self) -> None:
        """End the worker."""
        self.worker.close()
