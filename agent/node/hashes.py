"""sha256 of programs and code, by what the kernel says they are: read once per file, in the worker."""

import os
from collections import OrderedDict

from agent.node.worker import Job, Result, Worker
from model.event import File
from model.text import to_bytes

LIMIT = 4096  # hashes that are kept
AHEAD = 2048  # of files that nobody has used yet: 1.1 MiB at most
BYTES = 256 << 20  # larger files are not hashed
_FAILED = ""

Id = tuple[int, int, int, int]  # real device, inode, generation, ctime


class Hashes:
    """Asks the worker for hashes and keeps them. A file that can't be hashed is not asked for again and again."""

    def __init__(self, worker: Worker, proc: str = "/proc", limit: int = LIMIT) -> None:
        self._worker, self._proc, self._limit = worker, proc, limit
        self._known: OrderedDict[Id, str] = OrderedDict()
        self._ahead: OrderedDict[Id, str] = OrderedDict()
        self._asked: set[Id] = set()
        self.failed = 0
        self.read = 0  # files that were used, and read for it
        self.foreseen = 0  # files that were told without being read

    def of(self, file: File) -> str:
        """The hash in hexadecimal, or "" while it is unknown."""
        return self._known.get(id_of(file), "")

    def want(self, file: File, pid: int, root: str = "", *, is_program: bool = False) -> bool:
        """Have a file hashed. `pid` runs or maps it, `root` is its container's root folder. False: known, asked, or no room."""
        file_id = id_of(file)
        if file_id in self._known or file_id in self._asked or not file.inode:
            return False
        if not self._worker.submit(Job(file_id, self._request(file, pid, root, is_program))):
            return False
        self._asked.add(file_id)
        self.read += 1
        return True

    def foresee(self, file_id: Id, digest: str) -> None:
        """Keep the hash of a file that nobody has used yet. `file_id` must be all that the kernel will report of it."""
        if file_id in self._known:
            return
        self._ahead[file_id] = digest
        if len(self._ahead) > AHEAD:
            self._ahead.popitem(last=False)

    def first_use(self, file: File) -> str:
        """The hash of a file that was hashed ahead, once; "" for others, and when it is known already."""
        file_id = id_of(file)
        digest = self._ahead.pop(file_id, "")
        if not digest or file_id in self._known or file_id in self._asked:
            return ""
        self.foreseen += 1
        self._keep(file_id, digest)
        return digest

    def take(self, result: Result) -> bool:
        """Keep a result that is ours. False if it belongs to someone else."""
        if result.key not in self._asked:
            return False
        self._asked.discard(result.key)
        self.failed += result.content is None
        self._keep(result.key, result.content.decode() if result.content is not None else _FAILED)
        return True

    def _keep(self, file_id: Id, digest: str) -> None:
        self._known[file_id] = digest
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def _request(self, file: File, pid: int, root: str, is_program: bool) -> dict[str, object]:  # noqa: FBT001 - one caller
        path = os.fsdecode(to_bytes(file.path))
        places = [(f"{self._proc}/{pid}/exe", "")] if is_program else []
        places.append((f"{self._proc}/{pid}/root", path))
        if root:
            places.append((os.fsdecode(to_bytes(root)), path))
        return {
            "do": "sha256",
            "places": places,
            "devices": [_as_stat(file.device), _as_stat(file.real_device)],
            "inode": file.inode,
            "ctime_ns": file.ctime_ns,
            "limit": BYTES,
        }


def id_of(file: File) -> Id:
    """What tells a file's content from any other, as far as the kernel knows it."""
    return file.real_device, file.inode, file.generation, file.ctime_ns


def _as_stat(device: int) -> int:
    """The kernel's own form of a device number as stat gives it."""
    return os.makedev(device >> 20, device & 0xFFFFF)
