"""What is doubtful about one rule alone: it allows everything, or nothing could match it. Each with what to do."""

from collections.abc import Iterator
from typing import TypeAlias

from model.cover import conditions
from model.event import Layer
from model.glob import Glob
from model.policy import PathRule, PeerRule, Rule, UnixRule
from model.problem import Code, shown
from model.verbs import layers_of

Doubt: TypeAlias = tuple[Code, str, str]
"""Code, message, hint."""

_IMAGE = 1 << Layer.IMAGE.number
_OF_ITS_OWN = _IMAGE | 1 << Layer.ROOT.number  # what the container came with, as far as can be told
_NEW_MOUNT = 1 << Layer.NEW_MOUNT.number
_PROCFS = 1 << Layer.PROC.number | 1 << Layer.PROC_SELF.number | 1 << Layer.PROC_OTHER.number
_NARROW = {4: 8, 6: 16}  # prefixes shorter than these are more than any organisation has
_NAMES = ("\x01", "\ue000" * 40, "zq.zq", "-")  # no pattern but one of wildcards alone matches all of these
_ANYTHING = ("/-", *("/" + "/".join(_NAMES[:depth]) for depth in (1, 2, 3, 4)))
LINKS = {  # in most images; the kernel reports what they lead to
    "/var/run": "/run",
    "/var/lock": "/run/lock",
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/etc/mtab": "/proc/self/mounts",
    "/proc/mounts": "/proc/self/mounts",
    "/proc/net": "/proc/self/net",
}


def too_wide(verb: str, rule: Rule) -> Iterator[Doubt]:
    """What an allow rule has of everything, or of what the workload itself can make true."""
    if isinstance(rule, PathRule) and layers_of(verb, rule, deny=False) & _NEW_MOUNT:
        hint = "the workload mounted that filesystem and names its files as it likes: leave new_mount out"
        yield Code.CHOSEN_NAME, f"{shown(rule.text)} allows by a name that the workload chooses", hint
    what = _everything(verb, rule)
    if what:
        hint = f"leave {verb} out, so that it is only recorded, or name what is needed"
        yield Code.EVERYTHING, f"{shown(rule.text)} allows every {what}", hint
    else:
        yield from _broad(rule)


def _broad(rule: Rule) -> Iterator[Doubt]:
    peer = _unbounded_peer(rule)
    if peer is not None and peer.network is not None and peer.network.prefixlen < _NARROW[peer.network.version]:
        share = f"1 in {1 << peer.network.prefixlen} of all IPv{peer.network.version} addresses"
        hint = "name the networks that are needed, or the ports"
        yield Code.BROAD, f"{shown(rule.text)} allows {share}, on every port", hint


def _everything(verb: str, rule: Rule) -> str:
    """What it allows all of; nothing if there is a bound."""
    if conditions(rule):
        return ""
    if isinstance(rule, PathRule):
        bounded = rule.glob is None or not layers_of(verb, rule, deny=False) & ~_OF_ITS_OWN
        return "" if bounded or not _is_anything(rule.glob) else verb
    if isinstance(rule, UnixRule):
        kind = "abstract unix socket" if rule.abstract else "unix socket"
        return kind if _is_anything(rule.glob) else ""
    peer = _unbounded_peer(rule)
    return verb if peer is not None and (peer.network is None or peer.network.prefixlen == 0) else ""


def _is_anything(glob: Glob | None) -> bool:
    return glob is not None and not glob.literal and all(map(glob.matches, _ANYTHING))


def _unbounded_peer(rule: Rule) -> PeerRule | None:
    """A rule about addresses, on every port and under every condition."""
    if not isinstance(rule, PeerRule) or conditions(rule):
        return None
    return rule if not rule.ports or any(one.low <= 1 and one.high == 65535 for one in rule.ports) else None


def impossible(verb: str, rule: Rule, *, deny: bool) -> Doubt | None:
    """Why nothing is ever reported that this rule could match."""
    if not isinstance(rule, PathRule):
        return None
    why = _why_not(verb, rule, layers_of(verb, rule, deny=deny))
    if why is None:
        return None
    return Code.MATCHES_NOTHING, f"{shown(rule.text)} {'denies' if deny else 'allows'} nothing: {why[0]}", why[1]


def _why_not(verb: str, rule: PathRule, layers: int) -> tuple[str, str] | None:
    if verb == "write" and layers == _IMAGE:
        return "a file that is written is no longer the image's", "write the path; it is from writable, volume or tmpfs"
    glob = rule.glob
    if glob is None:
        return None
    if verb == "load" and layers == _IMAGE:
        return "code from the image is not reported one by one", "image stands for all of it; for others say from: [volume]"
    if not layers & _PROCFS and glob.folder.split("/")[1:2] == ["proc"]:
        hint = 'leave "from" out, or say from: [proc, proc_self, proc_other]'
        return "what lies below /proc is procfs, not a file's layer", hint
    if layers == 1 << Layer.MEMFD.number and glob.below("/") is not True and not _names_memfd(glob):
        return "anonymous memory is named /memfd:…", 'write "/memfd:*" or "/**"'
    return None


def _names_memfd(glob: Glob) -> bool:
    return glob.names[0].startswith(("memfd:", "*", "?", "[", "m*"))


def behind_link(rule: Rule) -> tuple[str, str] | None:
    """The link in most images that the rule's path leads through, and the pattern that the kernel's paths would match."""
    glob = getattr(rule, "glob", None)
    if not isinstance(glob, Glob) or getattr(rule, "abstract", False):
        return None
    for link, target in LINKS.items():
        if glob.folder == link or glob.folder.startswith(link + "/"):
            return link, target + glob.text.removeprefix(link)
    return None
