"""The image of every test container: a root folder of busybox, the programs, and some data."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
DATA_FOLDERS, DATA_FILES = 20, 2000
FOLDERS = {"tmp": 0o1777, "root": 0o700} | dict.fromkeys(
    ("proc", "sys", "dev", "run", "var", "opt", "mnt", "usr/bin", "usr/lib"), 0o755
)
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\nnobody:x:65534:\n",
    "etc/hostname": "box\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.53\n",
    "etc/secret": "secret\n",
    "etc/benign": "benign\n",
}
SCRIPTS = {"usr/bin/script": "#!/bin/sh\nexit 0\n", "usr/bin/nested": "#!/usr/bin/script\n"}
PROGRAMS = ("attack", "bulk", "quiet", "quiet32", "dynamic")
LIBRARIES = ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6")


def fill(root: Path, programs: Path) -> Path:
    """Make the image's root folder.

    `/bin/busybox` with a symlink for each applet; `/usr/bin`: attack, bulk, quiet (does nothing), quiet32 (32-bit), raised
    (quiet, set-user-id root), dynamic (with its loader and libc), script, nested (a script whose interpreter is one);
    `/usr/lib/plugin.so`; `/data/dNN/fNNNN`, 2000 small files in 20 folders; `/etc/secret`, `/etc/benign` and the usual ones.
    """
    for name, mode in FOLDERS.items():
        _folder(root / name, mode)
    _busybox(root / "bin")
    for name, text in TEXTS.items():
        _write(root / name, text.encode(), 0o644)
    for name, text in SCRIPTS.items():
        _write(root / name, text.encode(), 0o755)
    for name in PROGRAMS:
        _write(root / "usr/bin" / name, (programs / name).read_bytes(), 0o755)
    _write(root / "usr/bin/raised", (programs / "quiet").read_bytes(), 0o4755)
    _write(root / "usr/lib/plugin.so", (programs / "plugin.so").read_bytes(), 0o644)
    for library in LIBRARIES:
        _write(root / library[1:], Path(library).read_bytes(), 0o755)
    _data(root / "data")
    return root


def _folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _busybox(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(BUSYBOX, folder / "busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(applets) - {"busybox"}:
        (folder / applet).symlink_to("busybox")


def _data(folder: Path) -> None:
    """2000 files of a few bytes: d00/f0000 … d19/f1999."""
    for number in range(DATA_FILES):
        inside = folder / f"d{number * DATA_FOLDERS // DATA_FILES:02d}"
        _write(inside / f"f{number:04d}", b"data\n", 0o644)


def archive(root: Path, reference: str, to: Path, command: tuple[str, ...] = ("/bin/sh",)) -> str:
    """Write the root folder as an OCI image archive, byte for byte the same for the same folder; gives the manifest's digest."""
    layer = _layer(root)
    blobs: dict[str, bytes] = {}
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin:/usr/bin"], "Cmd": list(command), "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _blob(blobs, "application/vnd.oci.image.config.v1+json", config),
            "layers": [_blob(blobs, "application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    described = _blob(blobs, "application/vnd.oci.image.manifest.v1+json", manifest)
    names = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference.rpartition(":")[2]}
    _write_archive(to, blobs, _json({"schemaVersion": 2, "manifests": [{**described, "annotations": names}]}))
    return _digest(manifest)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _blob(blobs: dict[str, bytes], media: str, content: bytes) -> dict[str, str | int]:
    digest = _digest(content)
    blobs["blobs/" + digest.replace(":", "/")] = content
    return {"mediaType": media, "digest": digest, "size": len(content)}


def _write_archive(to: Path, blobs: dict[str, bytes], index: bytes) -> None:
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **dict(sorted(blobs.items()))}
    with tarfile.open(to, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            tar.addfile(_plain(tarfile.TarInfo(name), len(content)), io.BytesIO(content))


def _layer(root: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            entry = tar.gettarinfo(path, str(path.relative_to(root)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
            if entry.isreg():
                with path.open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    return out.getvalue()


def _plain(entry: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    entry.size, entry.mode, entry.mtime = size, 0o644, 0
    return entry
