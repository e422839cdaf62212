"""The runtimes' own records of a container: parsed, bounded, and stripped of all that we don't need.

The decoders know only the fields below, so a bundle's environment, where secrets stand in clear, is skipped by the
parser and never becomes a Python object. Errors quote no content for the same reason.
"""

import os
import stat
from pathlib import PurePosixPath
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from model.origin import Pod
from model.text import from_bytes

LIMIT = 4 << 20  # bytes of one record; recorded bundles have 4-14 KiB
_NAME = 1024  # characters of a name or image reference that are kept
_PATH = 4096

_NAME_MARKS = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
_IMAGE_MARKS = ("io.kubernetes.cri.image-name", "io.kubernetes.cri.podsandbox.image-name", "io.kubernetes.cri-o.ImageName")

T = TypeVar("T")


class RecordError(ValueError):
    """A runtime's record that can't be used: unreadable, too large, or not of the expected form."""


class Record(Struct, frozen=True, gc=False):
    """What one record says of its container. Text is in the reversible form."""

    id: str
    cgroup: str  # the path that it claims, "" if it claims none
    bundle: str  # the bundle's folder on the host
    root: str
    name: str = ""
    image: str = ""
    manager: str = ""  # who says it made it, in the annotation io.container.manager
    pod: Pod | None = None
    privileged: bool = False
    init_pid: int = 0  # from state.json alone
    init_start: int = 0  # clock ticks since boot, as in /proc/PID/stat


class _Capabilities(Struct):
    bounding: list[str] | None = None


class _Process(Struct):
    capabilities: _Capabilities | None = None


class _Root(Struct):
    path: str = ""


class _Seccomp(Struct):
    """Only whether there is a profile."""


class _Linux(Struct, rename="camel"):
    cgroups_path: str = ""
    masked_paths: list[str] | None = None
    seccomp: _Seccomp | None = None


class _Spec(Struct):
    process: _Process | None = None
    root: _Root | None = None
    linux: _Linux | None = None
    annotations: dict[str, str] | None = None


class _StateCapabilities(Struct, rename={"bounding": "Bounding"}):
    bounding: list[str] | None = None


class _StateCgroups(Struct):
    path: str = ""
    parent: str = ""
    name: str = ""
    scope_prefix: str = ""


class _StateConfig(Struct):
    rootfs: str = ""
    labels: list[str] | None = None
    cgroups: _StateCgroups | None = None
    capabilities: _StateCapabilities | None = None
    mask_paths: list[str] | None = None
    seccomp: _Seccomp | None = None


class _State(Struct):
    id: str
    init_process_pid: int = 0
    init_process_start: int = 0
    cgroup_paths: dict[str, str] | None = None
    config: _StateConfig | None = None


class _DockerConfig(Struct, rename="pascal"):
    image: str = ""


class Docker(Struct, rename="pascal"):
    """Docker's config.v2.json: only the two names."""

    name: str = ""
    config: _DockerConfig | None = None


class Stored(Struct):
    """One row of containers/storage's containers.json, which podman and CRI-O share."""

    id: str
    names: list[str] | None = None
    metadata: str = ""


class _StoredMetadata(Struct, rename="kebab"):
    image_name: str = ""


_SPEC = msgspec.json.Decoder(_Spec)
_STATE = msgspec.json.Decoder(_State)
_DOCKER = msgspec.json.Decoder(Docker)
_STORED = msgspec.json.Decoder(list[Stored])
_METADATA = msgspec.json.Decoder(_StoredMetadata)


def read(path: str) -> bytes:
    """The bytes of a runtime's file. Never follows a link, never blocks on what isn't a plain file.

    Raises RecordError when it is missing, not a regular file, or larger than LIMIT.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: {error.__class__.__name__}") from error
    try:
        return _read(fd, path)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)


def parse_bundle(raw: bytes, name: str, bundle: str) -> Record:
    """An OCI bundle's config.json. `name` is the container's id, `bundle` the folder. Raises RecordError."""
    spec = _decode(_SPEC, raw, f"{bundle}/config.json")
    linux = spec.linux or _Linux()
    marks = spec.annotations or {}
    return Record(
        id=_text(name),
        cgroup=claimed_path(linux.cgroups_path),
        bundle=_text(bundle, _PATH),
        root=_folder(spec.root.path if spec.root else "", bundle),
        name=_first(marks, *_NAME_MARKS),
        image=_first(marks, *_IMAGE_MARKS),
        manager=_first(marks, "io.container.manager"),
        pod=_pod(marks),
        privileged=_privileged(_bounding(spec), linux.masked_paths, linux.seccomp),
    )


def parse_state(raw: bytes, mounts: tuple[str, ...]) -> Record:
    """The state.json of runc. `mounts` are where the identity hierarchy is mounted. Raises RecordError."""
    state = _decode(_STATE, raw, "state.json")
    config = state.config or _StateConfig()
    marks = dict(label.split("=", 1) for label in config.labels or [] if "=" in label)  # the bundle's annotations, and "bundle"
    capabilities = config.capabilities.bounding if config.capabilities else None
    return Record(
        id=_text(state.id),
        cgroup=_state_cgroup(state.cgroup_paths or {}, config.cgroups or _StateCgroups(), mounts),
        bundle=_text(marks.get("bundle", ""), _PATH),
        root=_text(config.rootfs, _PATH),
        name=_first(marks, *_NAME_MARKS) or _text(state.id),
        image=_first(marks, *_IMAGE_MARKS),
        pod=_pod(marks),
        privileged=_privileged(capabilities or [], config.mask_paths, config.seccomp),
        init_pid=state.init_process_pid,
        init_start=state.init_process_start,
    )


def parse_docker(raw: bytes) -> tuple[str, str]:
    """Name and image of a docker container, from config.v2.json. Raises RecordError."""
    docker = _decode(_DOCKER, raw, "config.v2.json")
    return _text(docker.name.removeprefix("/")), _text(docker.config.image if docker.config else "")


def parse_stored(raw: bytes) -> dict[str, tuple[str, str]]:
    """Name and image by id of podman's and CRI-O's containers, from containers.json. Raises RecordError."""
    rows = _decode(_STORED, raw, "containers.json")
    return {row.id: (_text(row.names[0] if row.names else ""), _stored_image(row)) for row in rows}


def claimed_path(text: str) -> str:
    """The cgroup's path that `linux.cgroups_path` means, in either driver's form; "" if it is none.

    "/a/b/id" stands for itself; "slice:prefix:id" is systemd's, where a-b.slice lies in a.slice.
    """
    if not text or len(text) > _PATH or "\0" in text:
        return ""
    parts = text.split(":")
    if len(parts) == 3 and "/" not in text:
        return _text(_unit_path(*parts), _PATH)
    return _normal(text)


def _unit_path(parent: str, prefix: str, name: str) -> str:
    scope = name if name.endswith(".slice") else f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    return f"{_expand(parent or 'system.slice')}/{scope}"


def _expand(unit: str) -> str:
    if unit in ("-.slice", "/"):
        return ""
    steps = unit.removesuffix(".slice").split("-")
    return "".join(f"/{'-'.join(steps[: depth + 1])}.slice" for depth in range(len(steps)))


def _state_cgroup(paths: dict[str, str], cgroups: _StateCgroups, mounts: tuple[str, ...]) -> str:
    for path in (paths.get(key, "") for key in ("", "pids", "memory", "name=systemd")):
        for mount in mounts:
            if path.startswith(mount + "/"):
                return _normal(path[len(mount) :])
    if cgroups.path:
        return _normal(cgroups.path)
    return claimed_path(f"{cgroups.parent}:{cgroups.scope_prefix}:{cgroups.name}") if cgroups.name else ""


def _normal(path: str) -> str:
    steps = [step for step in path.split("/") if step and step != "."]
    if ".." in steps or not steps:
        return ""
    return _text("/" + "/".join(steps), _PATH)


def _read(fd: int, path: str) -> bytes:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise RecordError(f"{path}: not a regular file")
    pieces, size = [], 0
    while piece := os.read(fd, LIMIT + 1 - size):
        pieces.append(piece)
        size += len(piece)
        if size > LIMIT:
            raise RecordError(f"{path}: more than {LIMIT} bytes")
    return b"".join(pieces)


def _decode(decoder: "msgspec.json.Decoder[T]", raw: bytes, what: str) -> T:
    if len(raw) > LIMIT:
        raise RecordError(f"{what}: more than {LIMIT} bytes")
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RecordError(f"{what}: {error.__class__.__name__}") from None


def _stored_image(row: Stored) -> str:
    try:
        return _text(_METADATA.decode(row.metadata).image_name)
    except (msgspec.MsgspecError, RecursionError):
        return ""  # metadata is free text of the engine: without it the image is unknown, the container is not


def _text(value: str, limit: int = _NAME) -> str:
    if len(value) > limit:
        raise RecordError("a name longer than a runtime allows")
    return from_bytes(os.fsencode(value))


def _first(marks: dict[str, Any], *keys: str) -> str:
    return next((_text(marks[key]) for key in keys if marks.get(key)), "")


def _pod(marks: dict[str, str]) -> Pod | None:
    name = _first(marks, "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
    namespace = _first(marks, "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
    uid = _first(marks, "io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid")
    return Pod(name, namespace, uid) if name or uid else None


def _bounding(spec: _Spec) -> list[str]:
    capabilities = spec.process.capabilities if spec.process else None
    return (capabilities.bounding if capabilities else None) or []


def _privileged(bounding: list[str], masked: list[str] | None, seccomp: _Seccomp | None) -> bool:
    """No record says "privileged"; what all engines do for it is this."""
    return "CAP_SYS_ADMIN" in bounding and not masked and seccomp is None


def _folder(path: str, bundle: str) -> str:
    return _text(str(PurePosixPath(bundle, path)), _PATH) if path else ""
