"""The shape of a policy document. The runtime's form is in `model.policy`.

Entries of lists: `model.entries`; single fields: `model.fields`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from model.entries import (
    EgressListsShape,
    IngressListsShape,
    ListenListsShape,
    PathsShape,
    ProgramsShape,
    Shape,
    VerbShape,
)
from model.fields import (
    IMAGE,
    JUDGED,
    LAYERS,
    VERBS,
    days,
    digest,
    mode,
    name,
    one_of,
    pattern,
    refuse,
    registry,
    severity,
    until,
    words,
    yes_or_no,
)
from model.presets import PRESETS, verbs_of
from model.problem import nearest, shown
from model.verdict import Mode

__all__ = ["API", "CLUSTER_POLICY", "IMAGE", "JUDGED", "LAYERS", "VERBS", "DocumentShape", "VerbShape"]

API = "vedette.dev/v1alpha1"
POLICY, CLUSTER_POLICY = "Policy", "ClusterPolicy"
TIERS = ("guardrail", "baseline")
KINDS = ("app", "init", "sidecar", "debug")  # of containers in a pod
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
    "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip


def _kind(word: str) -> str:
    return one_of(word, KINDS, "kind of container", "kinds")


def _tier(word: str) -> str:
    return one_of(word, TIERS, "tier", "tiers")


def _capability(word: str) -> str:
    return one_of(word.removeprefix("CAP_"), CAPABILITIES, "capability", "capabilities")


def _preset(word: str) -> str:
    return one_of(word, tuple(PRESETS), "preset", "presets")


def _each(check: Callable[[str], str], what: str) -> Callable[[Any], Any]:
    """One word for all verbs and requirements, or a mapping of them to words."""

    def expand(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
        if isinstance(value, str):
            check(value)
            return dict.fromkeys(JUDGED, value)
        if not isinstance(value, dict):
            refuse(f"expected {what}, or a mapping of verbs to them")
        for verb in value:
            if verb not in JUDGED:
                field = what.rsplit(maxsplit=1)[-1]
                refuse(f"unknown verb {shown(verb)} in {field}", nearest(verb, JUDGED) or "verbs: " + ", ".join(JUDGED))
        return value

    return expand


Patterns = Annotated[list[Annotated[str, AfterValidator(pattern)]], Field(min_length=1)]
Modes = Annotated[dict[str, Annotated[str, AfterValidator(mode)]], BeforeValidator(_each(mode, "a mode"))]
Severities = Annotated[dict[str, Annotated[str, AfterValidator(severity)]], BeforeValidator(_each(severity, "a severity"))]
Truth = Annotated[bool, BeforeValidator(yes_or_no)]


class ContainersShape(Shape):
    """Containers by name and by kind."""

    names: Patterns | None = None
    kinds: Annotated[list[Annotated[str, AfterValidator(_kind)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ContainersShape":
        if self.names is None and self.kinds is None:
            refuse("selects nothing", 'names: ["*"] stands for every container')
        return self


class SelectShape(Shape):
    """Which containers: those that fit every field."""

    containers: ContainersShape | None = None
    images: Patterns | None = None
    namespaces: Patterns | None = None
    labels: Annotated[dict[str, str], Field(min_length=1)] | None = None
    workloads: Patterns | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "SelectShape":
        if not self.model_fields_set:
            refuse("selects nothing", 'every container: {containers: {names: ["*"]}}')
        return self


class ImageShape(Shape):
    """What the image must be."""

    registries: Annotated[list[Annotated[str, AfterValidator(registry)]], Field(min_length=1)] | None = None
    digests: Annotated[list[Annotated[str, AfterValidator(digest)]], Field(min_length=1)] | None = None
    tags: Patterns | None = None
    signed_by: Annotated[list[Annotated[str, AfterValidator(words)]], Field(min_length=1)] | None = Field(None, alias="signedBy")
    max_age_days: Annotated[int, BeforeValidator(days)] | None = Field(None, alias="maxAgeDays")

    @model_validator(mode="after")
    def _says_something(self) -> "ImageShape":
        if not self.model_fields_set:
            refuse("requires nothing", "registries, digests, tags, signedBy or maxAgeDays")
        return self


class PrivilegesShape(Shape):
    """Which privileges a container may hold."""

    privileged: Truth | None = None
    capabilities: list[Annotated[str, AfterValidator(_capability)]] | None = None
    run_as_non_root: Truth | None = Field(None, alias="runAsNonRoot")
    read_only_root: Truth | None = Field(None, alias="readOnlyRootFilesystem")
    allow_escalation: Truth | None = Field(None, alias="allowPrivilegeEscalation")

    @model_validator(mode="after")
    def _says_something(self) -> "PrivilegesShape":
        if not self.model_fields_set:
            refuse("requires nothing", "for example {privileged: false}")
        return self


class ExceptionShape(Shape):
    """A violation that is known, until when, and whose decision that is."""

    rule: Annotated[str, AfterValidator(words)]
    until: Annotated[str, AfterValidator(until)]
    owner: Annotated[str, AfterValidator(words)]
    why: Annotated[str, AfterValidator(words)]


class SpecShape(Shape):
    """What the selected containers may do."""

    tier: Annotated[str, AfterValidator(_tier)] | None = None
    select: SelectShape
    mode: Modes = Field(default=dict.fromkeys(JUDGED, str(Mode.ALERT)))
    severity: Severities = Field(default={})
    include: Annotated[list[Annotated[str, AfterValidator(_preset)]], Field(min_length=1)] | None = None
    exec: ProgramsShape | None = None
    load: PathsShape | None = None
    read: PathsShape | None = None
    write: PathsShape | None = None
    egress: EgressListsShape | None = None
    ingress: IngressListsShape | None = None
    listen: ListenListsShape | None = None
    image: ImageShape | None = None
    privileges: PrivilegesShape | None = None
    exceptions: Annotated[list[ExceptionShape], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _has_a_mode_for_each_verb(self) -> "SpecShape":
        included = {verb: preset for preset in self.include or () for verb in verbs_of(preset)}
        for verb in JUDGED:
            if (getattr(self, verb) is not None or verb in included) and verb not in self.mode:
                whose = f" of preset {included[verb]}" if getattr(self, verb) is None else ""
                refuse(f"mode does not say what holds for {verb}{whose}", f'add "{verb}: learn" or "{verb}: alert" to it')
        return self


class MetadataShape(Shape):
    """The policy's name."""

    name: Annotated[str, AfterValidator(name)]
    namespace: Annotated[str, AfterValidator(name)] | None = None


class DocumentShape(Shape):
    """One policy document: of one namespace, or of the containers of all of them."""

    apiVersion: Literal["vedette.dev/v1alpha1"]  # noqa: N815 - the field's name in Kubernetes
    kind: Literal["Policy", "ClusterPolicy"]
    metadata: MetadataShape
    spec: SpecShape
