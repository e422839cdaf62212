"""A deny holds under every name that a container has for a file.

A filesystem may be seen at several places (two bind mounts of one volume). A record says one name, the longest mount's; an allow
goes by that one alone. What is denied by another name is denied.
"""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from agent.node.containers import Containers
from model.event import Change, Event, Exec, File, Load, Open
from model.origin import Origin
from model.verdict import Outcome, Verdict

Judge = Callable[[Event, Origin], Verdict | None]
_KINDS = (Exec, Open, Load, Change)


def under_all_names(judge: Judge, containers: Containers) -> Judge:
    """The judge, asked again for each other name. A file with one name costs one look-up more."""

    def judged(event: Event, origin: Origin) -> Verdict | None:
        verdict = judge(event, origin)
        if type(event) not in _KINDS or _is_denied(verdict):
            return verdict
        cgroup = origin.container.cgroup
        for other in _renamed(event, cgroup, containers):
            found = judge(other, origin)
            if _is_denied(found):
                return found
        return verdict

    return judged


def _is_denied(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.outcome is Outcome.VIOLATION and verdict.reason.endswith(".denied")


def _renamed(event: Event, cgroup: int, containers: Containers) -> Iterator[Event]:
    """The event with each other name of each of its files."""
    for field in ("file", "script", "target"):
        file = getattr(event, field, None)
        if file is not None:
            for name in _other_names(file, cgroup, containers):
                yield replace(event, **{field: replace(file, path=name)})


def _other_names(file: File, cgroup: int, containers: Containers) -> list[str]:
    if not containers.is_seen_twice(cgroup, file.device):
        return []
    place = containers.place(cgroup, file.path, file.device)
    return [name for name in containers.aliases(cgroup, *place) if name != file.path] if place else []
