"""What a container must be, whatever it does: its image, its privileges. Requirements of several policies intersect.

Judged once a container, and where a fact isn't known, that is said: `image.unknown`, `privilege.unknown`.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from model.glob import Glob
from model.origin import Container
from model.reference import reference
from model.verdict import Mode, Outcome, Reason, Severity, Verdict

_YES, _NO = ("true",), ("false",)


class Requirement(Struct, frozen=True):
    """One field under `image` or `privileges`."""

    verb: str  # image, privileges
    field: str  # registries, privileged …
    wanted: tuple[str, ...]
    mode: Mode
    source: str  # file:line:col
    severity: Severity | None = None  # None: the reason's own

    @property
    def verb_unknown(self) -> Reason:
        """The reason where nothing is known of it."""
        return Reason.IMAGE_UNKNOWN if self.verb == "image" else Reason.PRIVILEGE_UNKNOWN


Answer = bool | None
"""Whether it is met; None: not known here."""


def _in_registries(wanted: tuple[str, ...], container: Container) -> Answer:
    if not container.image:
        return None
    found = reference(container.image)
    return any(found.is_in(registry) for registry in wanted)


def _has_digest(wanted: tuple[str, ...], container: Container) -> Answer:
    digest = container.image_digest or reference(container.image).digest
    return digest in wanted if digest else None


def _has_tag(wanted: tuple[str, ...], container: Container) -> Answer:
    """A reference without tag and digest means latest, as the engines have it."""
    if not container.image:
        return None
    found = reference(container.image)
    tag = found.tag or ("" if found.digest else "latest")
    return any(Glob(f"/{pattern}").matches(f"/{tag}") for pattern in wanted) if tag else None


def _is_not_privileged(wanted: tuple[str, ...], container: Container) -> Answer:
    if wanted == _YES:
        return True
    return None if container.runtime == "unidentified" else not container.privileged


def _nothing_known(_: tuple[str, ...], __: Container) -> Answer:
    return None


def _only_if(asked: tuple[str, ...]) -> Callable[[tuple[str, ...], Container], Answer]:
    """A field that asks for nothing with its other value."""
    return lambda wanted, _: None if wanted == asked else True


FIELDS: dict[str, tuple[Reason, Callable[[tuple[str, ...], Container], Answer]]] = {
    "registries": (Reason.IMAGE_REGISTRY, _in_registries),
    "digests": (Reason.IMAGE_DIGEST, _has_digest),
    "tags": (Reason.IMAGE_TAG, _has_tag),
    "signedBy": (Reason.IMAGE_UNKNOWN, _nothing_known),
    "maxAgeDays": (Reason.IMAGE_UNKNOWN, _nothing_known),
    "privileged": (Reason.PRIVILEGE_PRIVILEGED, _is_not_privileged),
    "capabilities": (Reason.PRIVILEGE_UNKNOWN, _nothing_known),
    "runAsNonRoot": (Reason.PRIVILEGE_UNKNOWN, _only_if(_YES)),
    "readOnlyRootFilesystem": (Reason.PRIVILEGE_UNKNOWN, _only_if(_YES)),
    "allowPrivilegeEscalation": (Reason.PRIVILEGE_UNKNOWN, _only_if(_NO)),
}
"""By field: why it is violated, and whether it is met."""
UNKNOWN_HERE = tuple(name for name, (reason, _) in FIELDS.items() if reason.endswith(".unknown"))


def verdict_of(one: Requirement, policy: str, container: Container, generation: int) -> Verdict:
    """What a requirement of this policy says of a container."""
    reason, ask = FIELDS[one.field]
    answer = ask(one.wanted, container)
    mode = Mode.ALERT if one.mode is Mode.ENFORCE else one.mode
    outcome, why, severity = Outcome.VIOLATION, reason, one.severity or Severity.HIGH
    if answer is None:
        outcome, why, severity = Outcome.UNJUDGED, one.verb_unknown, Severity.LOW
    elif answer:
        outcome, why, severity = Outcome.ALLOWED, Reason.ALLOWED, Severity.LOW
    return Verdict(outcome, one.verb, why, mode, generation, f"{policy}/{one.verb}/{one.field}", one.source, policy, severity)


def unknown(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Those of which nothing is known on any node yet."""
    return tuple(one for one in requirements if FIELDS[one.field][1](one.wanted, _NOBODY) is None and one.field in UNKNOWN_HERE)


_NOBODY = Container(0, "", "", "", "", "unidentified")
