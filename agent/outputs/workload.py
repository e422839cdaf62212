"""What a finding is about, in words that stay the same when the container is replaced: its workload and its subject."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from model.event import Change, Direction, Event, Exec, FlowCount, Gap, Left, Load, Net, Open, Privilege, Socket, Unix
from model.origin import Container

# What controllers add to a pod's name: a ReplicaSet's hash and a pod's suffix, a DaemonSet's or a Job's suffix, an ordinal.
_POD_SUFFIX = re.compile(r"(-[a-z0-9]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$|-\d{1,4}$")
_LONG_HEX = re.compile(r"[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{12,64}")


def workload(container: Container) -> str:
    """Names the workload, never the one container. A container that has neither pod nor image has only its own name."""
    image = image_name(container.image)
    if container.pod is not None:
        owner = _POD_SUFFIX.sub("", container.pod.name)
        return f"{container.pod.namespace}/{owner}/{container.name} {image}"
    if not container.id:
        return _LONG_HEX.sub("*", container.cgroup_path)
    named = container.name if container.name != container.id or not image else ""
    return f"{named} {image}".strip()


def image_name(reference: str) -> str:
    """The image without its digest."""
    return reference.partition("@")[0]


def label(container: Container) -> str:
    """The container in one word for people: namespace/pod/name, or its name, or the first digits of its id."""
    if container.pod is not None:
        return f"{container.pod.namespace}/{container.pod.name}/{container.name}"
    if container.name and container.name != container.id:
        return container.name
    return container.id[:24] or container.cgroup_path


def fingerprint(container: Container | None, rule: str, subject: str) -> str:
    """32 hex digits over workload, rule and subject. Lengths keep a part from shifting into its neighbour."""
    parts = (workload(container) if container else "", rule, subject)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def subject_of(event: Event) -> str:
    """The path, address or socket that the event is about; "" where there is none."""
    say = _SUBJECTS.get(type(event))
    return say(event) if say else ""


def network(event: Net) -> str:
    """address:port/protocol; what came in, by its peer and our port, since the peer's port is chosen at random."""
    address = f"[{event.address}]" if ":" in event.address else event.address
    protocol = event.protocol.name.lower()
    if event.direction is Direction.INGRESS:
        return f"{address} to port {event.local_port}/{protocol}"
    return f"{address}:{event.port}/{protocol}"


def _change(event: Change) -> str:
    return f"{event.file.path} -> {event.target.path}" if event.target else event.file.path


def _privilege(event: Privilege) -> str:
    return f"euid {event.before_euid} to {event.actor.euid}, capabilities gained {event.after & ~event.before:#x}"


_SUBJECTS: dict[type, Callable[[Any], str]] = {
    Exec: lambda event: (event.script or event.file).path,
    Open: lambda event: event.file.path,
    Load: lambda event: event.file.path,
    Change: _change,
    Net: network,
    Unix: lambda event: event.file.path if event.file else f"@{event.abstract}",
    Socket: lambda event: f"family {event.family} type {event.type} protocol {event.protocol}",
    Left: lambda _: "left its container",
    Privilege: _privilege,
    FlowCount: lambda event: event.text,
    Gap: lambda event: f"{event.place} {event.what}".strip(),
}
