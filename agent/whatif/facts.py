"""What of an event a verdict may be decided from: two with equal keys, of containers with equal policies, have equal verdicts.

It is what the flow's key in the kernel has (decision 1), and beside it the second name of a change and the DNS name of a peer.
A verdict whose `depends` names something else is not a function of this key.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from model.event import Actor, Cgroup, Change, Conflict, Dns, Exec, Exit, File, Load, Mount, Net, Open, Program, Unix
from model.verdict import Depends

HELD: Final = Depends.CONTAINER | Depends.PATH | Depends.LAYER | Depends.ADDRESS | Depends.PORT | Depends.NAME | Depends.TARGET
BESIDE: Final = ~int(HELD)  # plain: members of an IntFlag take 3 µs to combine
NEVER: Final = frozenset((Exit, Dns, Cgroup, Mount, Program, Conflict))
"""Kinds that no policy speaks of. Those that are neither here nor in KEYS are judged one by one."""

Key: TypeAlias = tuple[object, ...]

# Numbers instead of members: an enumeration's own hash takes longer than all the rest.


def _who(actor: Actor) -> Key:
    return actor.session.number, actor.exe, actor.euid, actor.tty


def _file(file: File | None) -> Key | None:
    if file is None:
        return None
    identity = file.device, file.inode, file.real_device, file.generation
    return file.path, file.layer.number, int(file.flags), identity


def _exec(event: Exec) -> Key:
    return 1, _who(event.actor), _file(event.file), _file(event.script)


def _open(event: Open) -> Key:
    return 2, _who(event.actor), _file(event.file), int(event.access)


def _load(event: Load) -> Key:
    return 3, _who(event.actor), _file(event.file)


def _change(event: Change) -> Key:
    return 4, _who(event.actor), event.operation.number, _file(event.file), _file(event.target)


def _net(event: Net) -> Key:
    peer = event.address, event.port, event.local_port, event.result, event.name
    return 5, _who(event.actor), event.direction.number, int(event.protocol), peer


def _unix(event: Unix) -> Key:
    return 6, _who(event.actor), _file(event.file), event.abstract, event.result


KEYS: Final[dict[type, Callable[[Any], Key]]] = {
    Exec: _exec, Open: _open, Load: _load, Change: _change, Net: _net, Unix: _unix,
}  # fmt: skip
