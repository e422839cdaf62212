"""A containerd of our own: containers by `ctr`, pods by CRI (pods.py)."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.containers import cgroups, image, leaks, mounts, processes
from tests.containers.runc import Result
from tests.containers.workshop import PREFIX, Workshop

IMAGE = "registry.local/box:1"
PAUSE = "registry.local/pause:1"
NAMESPACE = "vedette-test"  # containerd's own: cgroups are /<namespace>/<name>
START_S = 30.0

CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/c.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""
# Pods of one bridge reach each other and nothing else: it has no address, and nothing is forwarded or translated.
NETWORK = """{{"cniVersion": "0.4.0", "name": "vedette-test", "plugins": [{{
  "type": "bridge", "bridge": "{bridge}", "isGateway": false, "ipMasq": false,
  "ipam": {{"type": "host-local", "dataDir": "{folder}/cni/state", "ranges": [[{{"subnet": "10.98.0.0/24"}}]]}}
}}]}}"""


class Containerd:
    """containerd with root, state and socket below one short folder; `socket`, `state` are where an agent looks."""

    def __init__(self, workshop: Workshop) -> None:
        self._image = workshop.image
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.bridge = f"vt{os.getpid()}-{secrets.token_hex(2)}"
        self.socket, self.state = self.folder / "c.sock", self.folder / "state"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
            self.load(IMAGE, NAMESPACE)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it answers. After `stop` the same again: containers live on meanwhile."""
        (self.folder / "cni").mkdir(exist_ok=True)
        (self.folder / "cni/10.conflist").write_text(NETWORK.format(bridge=self.bridge, folder=self.folder))
        (self.folder / "config.toml").write_text(CONFIG.format(folder=self.folder, pause=PAUSE))
        environment = {**os.environ, leaks.MARK: f"session:{os.getpid()}"}
        with (self.folder / "log").open("ab") as log:
            command = ["containerd", "--config", str(self.folder / "config.toml")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + START_S
        while self._ctr("version").code:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"containerd did not start:\n{(self.folder / 'log').read_text()[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the daemon alone: its shims and containers stay."""
        if self._process is not None:
            with self._process as process:
                process.terminate()
            self._process = None

    def close(self) -> None:
        """End all of it and leave nothing."""
        self.stop()
        if Path(f"/sys/class/net/{self.bridge}").exists():
            subprocess.run(["ip", "link", "delete", self.bridge], check=True)
        mounts.clear_below(self.folder)
        shutil.rmtree(self.folder)

    def load(self, reference: str, namespace: str, command: tuple[str, ...] = ("/bin/sh",)) -> str:
        """Import the session's image under a name; gives its digest. Also named by it, or CRI reports no digest."""
        archive = self.folder / "image.tar"
        digest = image.archive(self._image, reference, archive, command)
        self._done("-n", namespace, "images", "import", str(archive))
        named = f"{reference.rpartition(':')[0]}@{digest}"
        self._done("-n", namespace, "images", "tag", "--force", reference, named)
        archive.unlink()
        return digest

    def ctr_run(self, name: str, *args: str, options: tuple[str, ...] = (), namespace: str = NAMESPACE) -> "Task":
        """`ctr run --detach OPTIONS IMAGE NAME ARGS`; a context manager that removes it. Name "" takes a random one."""
        task = Task(self, name or f"ctr-{secrets.token_hex(4)}", namespace)
        pid_file = self.folder / f"{task.name}.pid"
        self._done(
            *("-n", namespace, "run", "--detach", "--null-io", "--pid-file", str(pid_file), *options),
            *(IMAGE, task.name, *(args or ("sleep", "100000"))),
        )
        task.pid = int(pid_file.read_text())
        pid_file.unlink()
        return task

    def _ctr(self, *args: str) -> Result:
        done = subprocess.run(["ctr", "--address", str(self.socket), *args], capture_output=True, timeout=120)
        return Result.of(done.returncode, done.stdout, done.stderr)

    def _done(self, *args: str) -> Result:
        result = self._ctr(*args)
        if result.code:
            raise RuntimeError(f"ctr {' '.join(args)}: {result.err}")
        return result


class Task:
    """A container that ctr runs. `pid` is its init's on the host, `cgroup` its path in the hierarchy."""

    def __init__(self, containerd: Containerd, name: str, namespace: str) -> None:
        self._containerd, self.name, self.namespace = containerd, name, namespace
        self.cgroup = f"/{namespace}/{name}"
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    @property
    def cgroup_id(self) -> int:
        return cgroups.identity(self.cgroup)

    @property
    def bundle(self) -> Path:
        """The runtime's folder with config.json."""
        return self._containerd.state / "io.containerd.runtime.v2.task" / self.namespace / self.name

    def exec(self, *argv: str) -> Result:
        """Run a program in it from outside to the end."""
        return self._ctr("task", "exec", "--exec-id", secrets.token_hex(4), self.name, *argv)

    def remove(self) -> None:
        """Kill it and leave nothing."""
        self._ctr("task", "kill", "--signal", "KILL", "--all", self.name)
        processes.wait_for_end(self.pid)
        self._ctr("task", "delete", "--force", self.name)
        self._ctr("container", "delete", self.name)
        cgroups.remove(self.cgroup)

    def _ctr(self, *args: str) -> Result:
        return self._containerd._ctr("-n", self.namespace, *args)
