"""A small container of busybox on an overlay, run by runc: made for the demo, gone after it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self

SCRIPT = Path(__file__).parent / "misbehave.sh"
RUN_S = 60.0
APPLETS = ("cat", "cp", "echo", "nc", "seq", "sh")
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"]
MOUNTS: tuple[tuple[str, str, list[str]], ...] = (("/proc", "proc", []), ("/dev", "tmpfs", ["nosuid", "mode=755", "size=1m"]))


class DemoContainer:
    """A context: folders, mounts and container exist inside of it. Works in memory, also where / is an overlay itself."""

    def __init__(self, folder: Path) -> None:
        self.name = f"vedette-demo-{os.getpid()}"
        self._folder = folder
        self._root = folder / "rootfs"
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with self._undo:
            self._mount("tmpfs", self._folder, "size=64m")
            layers = [self._folder / name for name in ("image", "changes", "work", "rootfs")]
            for layer in layers:
                layer.mkdir()
            fill(layers[0])
            self._mount("overlay", self._root, f"lowerdir={layers[0]},upperdir={layers[1]},workdir={layers[2]}")
            (self._folder / "config.json").write_text(json.dumps(self._config()))
            self._undo = self._undo.pop_all()
        return self

    @contextmanager
    def running(self) -> Iterator[IO[bytes]]:
        """It runs the misbehaving script, a step for each line that it is given; until its end. Raises CalledProcessError."""
        command = ["runc", "run", "--bundle", str(self._folder), self.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0) as started:
            assert started.stdin is not None  # noqa: S101 - it is a pipe
            try:
                yield started.stdin
            finally:
                started.stdin.close()
            if started.wait(RUN_S):
                raise subprocess.CalledProcessError(started.returncode, command)

    def __exit__(self, *_: object) -> None:
        with self._undo:
            subprocess.run(["runc", "delete", "--force", self.name], check=False, capture_output=True)

    def _mount(self, kind: str, at: Path, options: str) -> None:
        subprocess.run(["mount", "-t", kind, "-o", options, kind, at], check=True)
        self._undo.callback(unmount, at)

    def _config(self) -> dict[str, Any]:
        return {
            "ociVersion": "1.0.2",
            "root": {"path": str(self._root)},
            "hostname": "demo",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/sh", f"/{SCRIPT.name}"],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
                "noNewPrivileges": True,
            },
            "mounts": [{"destination": at, "type": kind, "source": kind, "options": options} for at, kind, options in MOUNTS],
            "linux": {
                "cgroupsPath": f"/{self.name}",
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "network", "ipc", "uts")],
            },
        }


def unmount(at: Path) -> None:
    """Also where a process of the container lingers: then it goes with that."""
    subprocess.run(["umount", "--lazy", at], check=True)


def fill(image: Path) -> None:
    """The image's files. Raises FileNotFoundError where busybox isn't installed."""
    for name in ("bin", "dev", "etc", "etc/cron.d", "proc", "var", "var/tmp"):
        (image / name).mkdir()
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is missing\nhint: apt-get install busybox-static")
    shutil.copy(busybox, image / "bin" / "busybox")
    for applet in APPLETS:
        (image / "bin" / applet).symlink_to("busybox")
    (image / "etc" / "shadow").write_text("root:*:20000::::::\n")
    (image / "etc" / "app.conf").write_text("greeting = hello\n")
    shutil.copy(SCRIPT, image / SCRIPT.name)
