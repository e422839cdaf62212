"""A host's folders with runtimes' records in them, made of recorded bundles."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
TASKS = "run/containerd/io.containerd.runtime.v2.task"
POD = "/kubepods/besteffort/pod1"


def recorded(kind: str) -> dict[str, Any]:
    """The config.json that containerd wrote for a real container."""
    spec: dict[str, Any] = json.loads((DATA / f"config-{kind}.json").read_text())
    return spec


def spec(cgroup: str, **annotations: str) -> dict[str, Any]:
    """The least that a bundle says."""
    return {"root": {"path": "rootfs"}, "linux": {"cgroupsPath": cgroup}, "annotations": annotations}


def add_bundle(host: Path, namespace: str, name: str, content: dict[str, Any]) -> Path:
    """A bundle of containerd's."""
    return _write(host / TASKS / namespace / name / "config.json", content)


def add_recorded(host: Path, kind: str) -> str:
    """A recorded bundle where containerd keeps it. Gives the cgroup that it claims."""
    content = recorded(kind)
    cgroup: str = content["linux"]["cgroupsPath"]
    add_bundle(host, "k8s.io", cgroup.rpartition("/")[2], content)
    return cgroup


def add_state(host: Path, name: str, cgroup: str, pid: int = 1, start: int = 0, *labels: str) -> Path:
    """What plain runc writes."""
    content = {
        "id": name,
        "init_process_pid": pid,
        "init_process_start": start,
        "cgroup_paths": {"": f"/sys/fs/cgroup/unified{cgroup}", "pids": f"/sys/fs/cgroup/pids{cgroup}"},
        "config": {"rootfs": f"/boxes/{name}/root", "labels": [f"bundle=/boxes/{name}", *labels]},
    }
    return _write(host / "run/runc" / name / "state.json", content)


def add_stored(host: Path, name: str, content: dict[str, Any], folder: str = "run/containers/storage") -> Path:
    """What CRI-O and podman write."""
    return _write(host / folder / "overlay-containers" / name / "userdata/config.json", content)


def _write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path
