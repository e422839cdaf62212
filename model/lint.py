"""Warnings about policies that are valid: what allows everything, what another rule hides, what nothing could match.

Each with a hint. Judged policy by policy, verb by verb; cost: linear in the rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from model.document import VERBS
from model.event import Layer
from model.policy import Network, PathRule, PeerRule, Policy, Rule, Rules, UnixRule
from model.problem import Problem, Text, shown
from model.verbs import layers_of

_IMAGE = 1 << Layer.IMAGE.number
_OF_ITS_OWN = _IMAGE | 1 << Layer.ROOT.number  # what the container came with, as far as can be told
_NEW_MOUNT = 1 << Layer.NEW_MOUNT.number
_PROCFS = 1 << Layer.PROC.number | 1 << Layer.PROC_SELF.number | 1 << Layer.PROC_OTHER.number

Warn = Callable[[str, str, str], None]
"""(source, message, hint)."""


def lint(policies: Sequence[Policy], texts: Mapping[str, str]) -> list[Problem]:
    """Every warning, in the order of the policies. `texts`: by the names given to `parse`; for quoting."""
    sources = {name: Text(text, name) for name, text in texts.items()}
    found: list[Problem] = []

    def warn(source: str, message: str, hint: str) -> None:
        name = source.rsplit(":", 2)[0]
        text = sources.get(name) or Text("", name)
        found.append(text.problem(text.mark_of(source), message, hint, "warning"))

    _lint_names(policies, warn)
    for policy in policies:
        _lint_policy(policy, warn)
    return found


def _lint_names(policies: Sequence[Policy], warn: Warn) -> None:
    seen: dict[str, Policy] = {}
    for policy in policies:
        first = seen.setdefault(policy.id, policy)
        if first is not policy:
            hint = f"the first one is at {first.source}; the ids of their rules can't be told apart"
            warn(policy.source, f"a second policy named {shown(policy.id)}", hint)


def _lint_policy(policy: Policy, warn: Warn) -> None:
    if not policy.verbs:
        warn(policy.source, f"{shown(policy.name)} judges nothing", f"add rules for a verb: {', '.join(VERBS)}")
    for verb, rules in policy.verbs.items():
        _lint_verb(verb, rules, warn)


def _lint_verb(verb: str, rules: Rules, warn: Warn) -> None:
    allow, deny_rules = (tuple(rule for rule in listed if _is_plain(rule)) for listed in (rules.allow or (), rules.deny))
    for deny, listed in ((False, allow), (True, deny_rules)):
        possible = [rule for rule in listed if not _is_impossible(verb, rule, deny, warn)]
        _lint_list(verb, possible, deny, warn)
        for rule in possible:
            if not deny:
                _lint_width(verb, rule, warn)
    denied = _Cover(verb, deny_rules, deny=True)
    for rule in allow:
        above = denied.above(rule, layers_of(verb, rule, deny=False), itself=True)
        if above is not None:
            warn(rule.source, f"{shown(rule.text)} is never allowed: {shown(above.text)} denies it", f"see {above.source}")


def _is_plain(rule: Rule) -> bool:
    """Without conditions: what can be compared with others by its path or network alone."""
    return rule.when.always and isinstance(rule, PathRule | PeerRule | UnixRule)


def _lint_list(verb: str, listed: Sequence[Rule], deny: bool, warn: Warn) -> None:  # noqa: FBT001 - private
    cover = _Cover(verb, listed, deny=deny)
    first: dict[str, Rule] = {}
    for rule in listed:
        same = first.setdefault(rule.digest, rule)
        above = None if same is not rule else cover.above(rule, layers_of(verb, rule, deny=deny), itself=False)
        if same is not rule:
            warn(rule.source, f"{shown(rule.text)} stands here twice", f"the first one is at {same.source}")
        elif above is not None:
            hint = f"leave it out, or narrow the one at {above.source}"
            warn(rule.source, f"{shown(rule.text)} says nothing that {shown(above.text)} does not", hint)


def _lint_width(verb: str, rule: Rule, warn: Warn) -> None:
    """What allows everything, or what the workload itself can make true."""
    if isinstance(rule, PathRule) and layers_of(verb, rule, deny=False) & _NEW_MOUNT:
        hint = "the workload mounted that filesystem and names its files as it likes: leave new_mount out"
        warn(rule.source, f"{shown(rule.text)} allows by a name that the workload chooses", hint)
    if _is_everything(verb, rule):
        hint = f"leave {verb} out, so that it is only recorded, or name what is needed"
        warn(rule.source, f"{shown(rule.text)} allows every {verb}", hint)


def _is_everything(verb: str, rule: Rule) -> bool:
    if isinstance(rule, PathRule):
        return rule.glob is not None and rule.glob.text == "/**" and bool(layers_of(verb, rule, deny=False) & ~_OF_ITS_OWN)
    if isinstance(rule, PeerRule):
        unbounded = not rule.ports or any(one.low <= 1 and one.high == 65535 for one in rule.ports)
        return unbounded and (rule.network is None or rule.network.prefixlen == 0)
    return False


def _is_impossible(verb: str, rule: Rule, deny: bool, warn: Warn) -> bool:  # noqa: FBT001 - private
    if not isinstance(rule, PathRule):
        return False
    why = _impossible(verb, rule, layers_of(verb, rule, deny=deny))
    if why is not None:
        what = "denies nothing" if deny else "allows nothing"
        warn(rule.source, f"{shown(rule.text)} {what}: {why[0]}", why[1])
    return why is not None


def _impossible(verb: str, rule: PathRule, layers: int) -> tuple[str, str] | None:
    if verb == "write" and layers == _IMAGE:
        return "a file that is written is no longer the image's", "write the path; it is from writable, volume or tmpfs"
    if verb == "load" and layers == _IMAGE and rule.glob is not None:
        return "code from the image is not reported one by one", "image stands for all of it; for others say from: [volume]"
    if rule.glob is not None and not layers & _PROCFS and rule.glob.folder.split("/")[1:2] == ["proc"]:
        return (
            "what lies below /proc is procfs, not a file's layer",
            'leave "from" out, or say from: [proc, proc_self, proc_other]',
        )
    if (
        rule.glob is not None
        and layers == 1 << Layer.MEMFD.number
        and rule.glob.below("/") is not True
        and not _names_memfd(rule)
    ):
        return "anonymous memory is named /memfd:…", 'write "/memfd:*" or "/**"'
    return None


def _names_memfd(rule: PathRule) -> bool:
    return rule.glob is not None and rule.glob.names[0].startswith(("memfd:", "*", "?", "[", "m*"))


class _Cover:
    """Rules of one list by what they hold, to find one that holds another whole."""

    def __init__(self, verb: str, rules: Sequence[Rule], *, deny: bool) -> None:
        self._paths: dict[tuple[type, bool, str], list[tuple[int, PathRule | UnixRule]]] = {}
        self._networks: dict[Network | None, list[PeerRule]] = {}
        for rule in rules:
            if isinstance(rule, PeerRule):
                self._networks.setdefault(rule.network, []).append(rule)
            elif isinstance(rule, PathRule | UnixRule):
                self._paths.setdefault(_key(rule, _text(rule)), []).append((layers_of(verb, rule, deny=deny), rule))

    def above(self, rule: Rule, layers: int, *, itself: bool) -> Rule | None:
        """A rule that matches whatever this one does; an equal one counts only as `itself`."""
        found: Iterator[Rule] = iter(())
        if isinstance(rule, PeerRule):
            found = self._peers_above(rule)
        elif isinstance(rule, PathRule | UnixRule):
            found = self._paths_above(rule, layers)
        return next((one for one in found if itself or one.digest != rule.digest), None)

    def _paths_above(self, rule: PathRule | UnixRule, layers: int) -> Iterator[Rule]:
        for text in _texts_above(rule):
            for has, one in self._paths.get(_key(rule, text), ()):
                if not layers & ~has:
                    yield one

    def _peers_above(self, rule: PeerRule) -> Iterator[Rule]:
        for network in _networks_above(rule.network):
            yield from (one for one in self._networks.get(network, ()) if _has_ports(one, rule))


def _key(rule: PathRule | UnixRule, text: str) -> tuple[type, bool, str]:
    return type(rule), isinstance(rule, UnixRule) and rule.abstract, text


def _text(rule: PathRule | UnixRule) -> str:
    return "" if rule.glob is None else rule.glob.text


def _texts_above(rule: PathRule | UnixRule) -> Iterator[str]:
    """The rule's own text, `image`, and the whole folders around it."""
    yield _text(rule)
    if rule.glob is None:
        yield "/**"
        return
    yield ""
    folder = rule.glob.folder
    while True:
        yield f"{folder}/**"
        if not folder:
            return
        folder = folder.rpartition("/")[0]


def _networks_above(network: Network | None) -> Iterator[Network | None]:
    if network is not None:
        for length in range(network.prefixlen, -1, -1):
            yield network.supernet(new_prefix=length)
    yield None


def _has_ports(wide: PeerRule, narrow: PeerRule) -> bool:
    if not wide.ports:
        return True
    return bool(narrow.ports) and all(
        any(w.protocol == n.protocol and w.low <= n.low and n.high <= w.high for w in wide.ports) for n in narrow.ports
    )
