"""What a box is made of: Recipe, and the OCI configuration that runc gets."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What Docker and containerd give by default.
USUAL_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID"),
    *("CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
)
# For the verbs that mount, use handles, or choose pids.
MIGHTY_CAPABILITIES = (*USUAL_CAPABILITIES, "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN", "CAP_SYS_PTRACE")
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]}
NAMESPACES = ("pid", "mount", "network", "ipc", "uts")

# Loopback is brought up from outside, by a hook in the host's namespaces: nothing of it is seen as the container's own.
LOOPBACK_UP = "exec nsenter --net=/proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/ns/net /bin/busybox ip link set lo up"


@dataclass(frozen=True)
class Mount:
    """A mount beside the usual ones. A bind of `source` if that is a path, else a filesystem of type `source`: "tmpfs"."""

    source: str
    destination: str
    options: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        if self.source.startswith("/"):
            return {"destination": self.destination, "type": "bind", "source": self.source, "options": ["rbind", *self.options]}
        return {"destination": self.destination, "type": self.source, "source": self.source, "options": list(self.options)}


@dataclass(frozen=True)
class Recipe:
    """One container to be. What isn't said is as a container engine does it."""

    name: str = ""  # "": a random one
    args: tuple[str, ...] = ("sleep", "100000")
    mounts: tuple[Mount, ...] = ()
    capabilities: tuple[str, ...] = USUAL_CAPABILITIES
    readonly: bool = False
    terminal: bool = False
    user: int = 0
    environment: tuple[str, ...] = ("PATH=/bin:/usr/bin",)
    no_new_privileges: bool = False
    seccomp: bool = False  # a filter that refuses one rare call
    annotations: dict[str, str] = field(default_factory=dict)
    image: str = ""  # annotated as CRI does: io.kubernetes.cri.image-name
    namespaces: tuple[str, ...] = NAMESPACES  # without "pid": hostPID; without "network": hostNetwork
    join: dict[str, str] = field(default_factory=dict)  # kind of namespace → a path of one that exists: "/proc/7/ns/pid"
    cgroup_parent: str = "/vedette-test"
    v2_alone: bool = False  # as on a machine without v1 hierarchies; with "cgroup" in namespaces it sees its own as "/"


def config(recipe: Recipe, name: str, root: Path, cgroup: str) -> dict[str, Any]:
    """config.json of the runtime specification."""
    annotations = {**recipe.annotations, **({"io.kubernetes.cri.image-name": recipe.image} if recipe.image else {})}
    return {
        "ociVersion": "1.0.2",
        "hostname": name if "uts" in recipe.namespaces else "",
        "root": {"path": str(root), "readonly": recipe.readonly},
        "process": _process(recipe),
        "mounts": [*_usual_mounts(), *(mount.json() for mount in recipe.mounts)],
        "annotations": annotations,
        "hooks": _hooks(recipe),
        "linux": {
            "cgroupsPath": cgroup,
            **({"seccomp": SECCOMP} if recipe.seccomp else {}),
            "namespaces": [_namespace(kind, recipe) for kind in recipe.namespaces],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"],
        },
    }


def _process(recipe: Recipe) -> dict[str, Any]:
    return {
        "terminal": recipe.terminal,
        "user": {"uid": recipe.user, "gid": recipe.user},
        "args": list(recipe.args),
        "env": list(recipe.environment),
        "cwd": "/",
        "capabilities": {kind: list(recipe.capabilities) for kind in ("bounding", "effective", "permitted")},
        "noNewPrivileges": recipe.no_new_privileges,
    }


def _namespace(kind: str, recipe: Recipe) -> dict[str, str]:
    return {"type": kind, "path": recipe.join[kind]} if kind in recipe.join else {"type": kind}


def _hooks(recipe: Recipe) -> dict[str, Any]:
    if "network" not in recipe.namespaces or "network" in recipe.join:
        return {}
    return {
        "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", LOOPBACK_UP], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]
    }


def _usual_mounts() -> list[dict[str, Any]]:
    rows = (
        ("/proc", "proc", ()),
        ("/dev", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
        ("/dev/pts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")),
        ("/dev/shm", "tmpfs", ("nosuid", "nodev", "mode=1777", "size=65536k")),
        ("/dev/mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
        ("/sys", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    )
    return [{"destination": at, "type": kind, "source": kind, "options": list(options)} for at, kind, options in rows]
