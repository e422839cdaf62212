"""What a finding is about, in words that stay the same when the container is replaced: its workload and its subject."""

import re
from hashlib import blake2b

from model.event import Change, Direction, Event, Exec, FlowCount, Gap, Left, Load, Net, Open, Privilege, Protocol, Socket, Unix
from model.origin import Container

# What controllers add to a pod's name: a ReplicaSet's hash and a pod's suffix, a DaemonSet's or a Job's suffix, an ordinal.
_POD_SUFFIX = re.compile(r"(-[a-z0-9]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$|-\d{1,4}$")
_LONG_HEX = re.compile(r"[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{12,64}")


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


def fingerprint(container: Container | None, rule: str, subject: str) -> str:
    """32 hex digits. A NUL between the parts: none of them can hold one unescaped and shift into its neighbour."""
    parts = "\0".join((workload(container) if container else "", rule, subject))
    return blake2b(parts.encode(), digest_size=16).hexdigest()


def subject_of(event: Event) -> str:
    """The path, address or socket that the event is about; "" where there is none."""
    match event:
        case Exec():
            return (event.script or event.file).path
        case Open() | Load():
            return event.file.path
        case Change():
            return f"{event.file.path} -> {event.target.path}" if event.target else event.file.path
        case Net():
            return _network(event)
        case Unix():
            return event.file.path if event.file else f"@{event.abstract}"
        case Socket():
            return f"family {event.family} type {event.type} protocol {event.protocol}"
        case Left():
            return f"cgroup {event.cgroup}"
        case Privilege():
            return _privilege(event)
        case FlowCount():
            return event.text
        case Gap():
            return f"{event.place} {event.what}".strip()
    return ""


def _network(event: Net) -> str:
    address = f"[{event.address}]" if ":" in event.address else event.address
    protocol = event.protocol.name.lower() if event.protocol in Protocol else str(event.protocol)
    if event.direction is Direction.INGRESS:
        return f"{address} to port {event.local_port}/{protocol}"
    return f"{address}:{event.port}/{protocol}"


def _privilege(event: Privilege) -> str:
    gained = event.after & ~event.before
    return f"euid {event.before_euid} to {event.actor.euid}, capabilities gained {gained:#x}"
