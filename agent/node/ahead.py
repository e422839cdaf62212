"""Hashes an image's programs before anybody executes them, so that the first exec has its hash at once.

    a program of an image runs ─► the overlay's lower folders ─► the usual program folders of each ─► its programs, one by one

The files are read in the layers' own folders on the host, where the container has no say, and not through its root. There the
worker sees everything that the kernel will report of them: real device, inode, generation and ctime. So a hash is found by the
same key as one that was made on demand, whoever else has that layer, and a file that was changed or replaced has another key.
What has no such key (a filesystem that tells no generation, a file whose bytes lie elsewhere) is left to be read on demand.

It costs others nothing that they would notice: one file at a time, only while the worker has nothing else to do, each layer
once, within the image's budget of files, bytes and seconds. A layer that is gone meanwhile is no error.
"""

import json
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from agent.node.hashes import Hashes
from agent.node.worker import Job, Result, Worker

FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")  # the default PATH, in its order
DEADLINE_S = 2.0  # of one step: somebody may wait behind it
WAITING = 64  # images
REMEMBERED = 4096  # containers, and layers
TRIES = 3  # of one container: the process that told of its overlay may be gone


class Budget(Struct, frozen=True):
    """What may be read of one image."""

    files: int
    bytes: int
    seconds: float


class Step(NamedTuple):
    """One small thing that the worker is to do; the key of its job."""

    do: str  # layers, programs, identified
    layer: str = ""
    path: str = ""


class _Image:
    """What is left to do of one image."""

    def __init__(self, container: int, budget: Budget, until_s: float) -> None:
        self.container, self.files, self.bytes, self.until_s = container, budget.files, budget.bytes, until_s
        self.steps: deque[Step] = deque()
        self._paths: set[str] = set()  # a lower layer's file of such a path is hidden

    def choose(self, step: Step, found: list[tuple[str, int]]) -> None:
        """Of a folder's programs those that nothing hides and that the budget has room for: they come next."""
        chosen = []
        for name, size in found:
            path = f"{step.path}/{name}"
            if path not in self._paths and self.files and size <= self.bytes:
                self._paths.add(path)
                self.files -= 1
                self.bytes -= size
                chosen.append(Step("identified", step.layer, path))
        if not self.files:
            self.steps.clear()
        self.steps.extendleft(reversed(chosen))


class Ahead:
    """Belongs to the loop. Call `step` and `take` as often as the worker's results are asked for. `clock` gives seconds."""

    def __init__(
        self,
        worker: Worker,
        hashes: Hashes,
        budget: Budget,
        clock: Callable[[], float],
        proc: str = "/proc",
        host_root: str = "/",
    ) -> None:
        self._worker, self._hashes, self._budget, self._clock = worker, hashes, budget, clock
        self._proc, self._host = proc, host_root.rstrip("/")
        self._waiting: OrderedDict[int, tuple[int, int]] = OrderedDict()  # container → device of its overlay, a process in it
        self._tries: OrderedDict[int, int] = OrderedDict()  # by container; TRIES: nothing is left to do
        self._layers: OrderedDict[str, None] = OrderedDict()  # that were walked
        self._image = _Image(0, budget, 0)
        self._doing = False
        self.read = 0  # files

    @property
    def busy(self) -> bool:
        """Whether `step` has, or waits for, something to do."""
        return self._doing or bool(self._image.steps) or bool(self._waiting)

    def begin(self, container: int, device: int, pid: int) -> None:
        """A program of a container's image runs. `device` is its overlay's, as the kernel has it."""
        tries = self._tries.get(container, 0)
        if tries >= TRIES or container in self._waiting or len(self._waiting) >= WAITING or not self._budget.files:
            return
        if self._doing and self._image.container == container:
            return  # its layers are just being asked for
        self._tries[container] = tries + 1
        _bound(self._tries)
        self._waiting[container] = device, pid

    def step(self) -> None:
        """Have the worker do the next thing, if it has nothing else to do."""
        if self._doing or self._worker.busy:
            return
        if self._clock() >= self._image.until_s:
            self._image.steps.clear()
        if self._image.steps:
            self._submit_next(self._image)
        elif self._waiting:
            self._ask_for_layers()

    def take(self, result: Result) -> bool:
        """Take the result of a step. False: it is somebody else's."""
        step = result.key
        if not isinstance(step, Step):
            return False
        self._doing = False
        if result.content is None:
            return True  # gone, or nothing that could be hashed
        found = json.loads(result.content)
        match step.do:
            case "layers":
                self._walk(found)
            case "programs":
                self._image.choose(step, found)
            case _:
                self.read += 1
                self._hashes.foresee(tuple(found["id"]), found["sha256"])
        return True

    def _submit_next(self, image: _Image) -> None:
        step = image.steps.popleft()
        request = {"do": step.do, "layer": step.layer, "path": step.path, "names": image.files, "limit": self._budget.bytes}
        self._doing = self._worker.submit(Job(step, request, DEADLINE_S))

    def _ask_for_layers(self) -> None:
        container, (device, pid) = self._waiting.popitem(last=False)
        self._image = _Image(container, self._budget, self._clock() + self._budget.seconds)
        tables = [f"{self._proc}/{pid}/mountinfo", f"{self._proc}/1/mountinfo"]
        request = {"do": "layers", "mountinfos": tables, "device": f"{device >> 20}:{device & 0xFFFFF}"}
        self._doing = self._worker.submit(Job(Step("layers"), request, DEADLINE_S))

    def _walk(self, layers: list[str]) -> None:
        self._tries[self._image.container] = TRIES
        for layer in layers:
            if layer not in self._layers:
                self._layers[layer] = None
                _bound(self._layers)
                self._image.steps.extend(Step("programs", self._host + layer, folder) for folder in FOLDERS)


def _bound(remembered: "OrderedDict[int, int] | OrderedDict[str, None]") -> None:
    if len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
