"""What the policies say of an event."""

from enum import IntFlag, StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """Whether a policy allows it."""

    UNJUDGED = "unjudged"  # no selected policy mentions the verb: recorded, not judged
    ALLOWED = "allowed"
    VIOLATION = "violation"
    EXCEPTED = "excepted"  # a violation that an exception covers: recorded, no finding


class Mode(StrEnum):
    """What follows from a violation."""

    LEARN = "learn"  # record, never alert
    ALERT = "alert"
    ENFORCE = "enforce"  # what a policy may ask for; this version alerts instead, and no verdict has it


class Severity(StrEnum):
    """How loud a finding is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Reason(StrEnum):
    """Why, as one word that log, metric, command line and console print alike."""

    NONE = ""  # nothing was judged
    NOT_MENTIONED = "not_mentioned"  # no selected policy speaks of this verb
    ALLOWED = "allowed"  # an entry of an allow list matches, or deny lists are all there is and none matches
    RUNTIME = "runtime"  # the runtime's own step before the handover
    EXEC_NOT_ALLOWED = "exec.not_allowed"
    EXEC_DENIED = "exec.denied"
    EXEC_DRIFT = "exec.drift"  # from the writable layer
    EXEC_VOLUME = "exec.volume"  # from a volume
    EXEC_FILELESS = "exec.fileless"  # memfd, deleted
    LOAD_NOT_ALLOWED = "load.not_allowed"
    LOAD_DENIED = "load.denied"
    LOAD_DRIFT = "load.drift"  # code mapped from the writable layer
    READ_NOT_ALLOWED = "read.not_allowed"
    READ_DENIED = "read.denied"
    WRITE_NOT_ALLOWED = "write.not_allowed"
    WRITE_DENIED = "write.denied"
    EGRESS_NOT_ALLOWED = "egress.not_allowed"
    EGRESS_DENIED = "egress.denied"
    INGRESS_NOT_ALLOWED = "ingress.not_allowed"
    INGRESS_DENIED = "ingress.denied"
    LISTEN_NOT_ALLOWED = "listen.not_allowed"
    LISTEN_DENIED = "listen.denied"
    IMAGE_REGISTRY = "image.registry"  # the image is from none of the required registries
    IMAGE_DIGEST = "image.digest"  # the image's digest is none of the required ones
    IMAGE_TAG = "image.tag"  # the reference's tag is none of the required ones
    IMAGE_UNKNOWN = "image.unknown"  # a requirement of the image that nothing is known about here: unjudged
    PRIVILEGE_PRIVILEGED = "privilege.privileged"  # the container is privileged, and must not be
    PRIVILEGE_UNKNOWN = "privilege.unknown"  # a requirement of privileges that nothing is known about here: unjudged
    PRIVILEGE_ESCALATION = "privilege.escalation"  # user id or capabilities grew without exec or setuid
    IDENTITY_UNIDENTIFIED = "identity.unidentified"  # below a runtime's root, but no runtime's record claims it
    IDENTITY_CLAIMED_TWICE = "identity.claimed_twice"  # several records claim one cgroup: none is believed
    CONTAINER_LEFT = "container.left"  # a process left its container's cgroup
    FLOOD = "flood"  # more than the budget itemises; what is over is counted


class Depends(IntFlag):
    """What a verdict was decided from. What the flow key does not hold makes the flow unrememberable (decision 1)."""

    CONTAINER = 1
    PATH = 2
    LAYER = 4
    ADDRESS = 8
    PORT = 16
    ARGV = 32  # not in the key
    NAME = 64  # a DNS name: not in the key
    TARGET = 128  # the second name of a rename or link: not in the key
    TIME = 256  # how old the container is, or the day: not in the key


class Verdict(Struct, frozen=True, gc=False):
    """The decision on one event, with the word for it, the rule that was decisive, and the mode in force."""

    outcome: Outcome
    verb: str  # exec, load, read, write, egress, ingress, listen, image, privileges; "" where no verb applies
    reason: Reason
    mode: Mode
    generation: int  # of the policy set
    rule: str = ""  # stable id: policy/verb/allow|deny/digest of the rule's text
    source: str = ""  # file:line:col of that rule, or of the policy where the allowlist has no match
    policy: str = ""
    severity: Severity = Severity.MEDIUM
    depends: Depends = Depends.CONTAINER
    expires_ns: int = 0  # boot time from which it may be another one, all else being equal; 0: never
    exception: str = ""  # of an excepted violation: who, until when, and why
