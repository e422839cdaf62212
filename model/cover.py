"""Which rule holds everything that another one holds: of two patterns, networks, selectors. Sure, but not complete.

What is said to be covered is; what can't be told from names alone, or only several rules together cover, is not said.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from model.glob import Glob
from model.policy import Network, PathRule, PeerRule, Rule, UnixRule
from model.select import Selector
from model.verbs import layers_of

TRIES = 50_000  # patterns that are held against each other, in one list
_KNOWN = {"text", "glob", "layers", "network", "ports", "digest", "source", "abstract"}
_SPECIAL = set("*?[]")


def covers(wide: Glob, narrow: Glob) -> bool:
    """Whether every path that `narrow` matches, `wide` matches too. Cost: the product of their names."""
    if narrow.literal or wide.literal:
        return wide.matches(narrow.text) if narrow.literal else False
    below = [False] * len(narrow.names) + [True]  # of the wide one's names from the next on
    for name in reversed(wide.names):
        here = [False] * len(below)
        here[-1] = name == "**" and below[-1]
        for at in range(len(narrow.names) - 1, -1, -1):
            if name == "**":
                here[at] = below[at] or here[at + 1]
            else:
                here[at] = below[at + 1] and _name_covers(name, narrow.names[at])
        below = here
    return below[0]


def _name_covers(wide: str, narrow: str) -> bool:
    """Of one name. `a*z` covers `ab*z`."""
    if narrow == "**":
        return False
    if wide in (narrow, "*"):
        return True
    if not _SPECIAL & set(narrow):
        return Glob("/" + wide).matches("/" + narrow)
    head, star, tail = wide.partition("*")
    fixed = head + tail
    return bool(star) and not _SPECIAL & set(fixed) and len(narrow) >= len(fixed) and _has_ends(narrow, head, tail)


def _has_ends(name: str, head: str, tail: str) -> bool:
    return name.startswith(head) and name.endswith(tail)


def conditions(rule: Rule) -> tuple[tuple[str, Any], ...]:
    """What else a rule asks for beside path or address: a rule with conditions covers none that has others."""
    return tuple((name, value) for name, usual in _others(type(rule)) if (value := getattr(rule, name)) != usual)


@cache
def _others(kind: type[Rule]) -> tuple[tuple[str, Any], ...]:
    """Fields that are conditions, and what they are where there is none."""
    return tuple((field.name, field.default) for field in fields(kind) if field.name not in _KNOWN)


def selects_all_of(wide: Selector, narrow: Selector) -> bool:
    """Whether every container that `narrow` selects, `wide` selects too."""
    return all(_field_covers(getattr(wide, name), getattr(narrow, name)) for name in wide.__struct_fields__)


def _field_covers(wide: object, narrow: object) -> bool:
    if not wide or wide == narrow:
        return True
    if not isinstance(wide, tuple) or not isinstance(narrow, tuple):
        return False
    alternatives = all(isinstance(one, str) for one in wide)  # else all of them must fit
    return "*" in wide or "**" in wide or (alternatives and bool(narrow) and set(narrow) <= set(wide))


class _Patterns(Struct):
    """Patterns by the folder that they begin in."""

    by_folder: dict[tuple[type, bool, str], list[tuple[int, PathRule | UnixRule]]]
    left: int = TRIES


class Cover:
    """Rules of one list by what they hold, to find one that holds another whole. Cost: linear, and TRIES for patterns."""

    def __init__(self, verb: str, rules: Sequence[Rule], *, deny: bool) -> None:
        self._paths: dict[tuple[type, bool, str], list[tuple[int, PathRule | UnixRule]]] = {}
        self._patterns = _Patterns({})
        self._networks: dict[Network | None, list[PeerRule]] = {}
        for rule in rules:
            if isinstance(rule, PeerRule):
                self._networks.setdefault(rule.network, []).append(rule)
            elif isinstance(rule, PathRule | UnixRule):
                self._add(rule, layers_of(verb, rule, deny=deny))

    def _add(self, rule: PathRule | UnixRule, layers: int) -> None:
        self._paths.setdefault(_key(rule, _text(rule)), []).append((layers, rule))
        glob = rule.glob
        if glob is not None and not glob.literal and not glob.whole:
            self._patterns.by_folder.setdefault(_key(rule, glob.folder), []).append((layers, rule))

    def above(self, rule: Rule, layers: int, *, itself: bool) -> Rule | None:
        """A rule that matches whatever this one does; an equal one counts only as `itself`."""
        wanted = conditions(rule)
        found: Iterator[Rule] = iter(())
        if isinstance(rule, PeerRule):
            found = self._peers_above(rule)
        elif isinstance(rule, PathRule | UnixRule):
            found = self._paths_above(rule, layers)
        fits = (one for one in found if itself or one.digest != rule.digest)
        return next((one for one in fits if conditions(one) in ((), wanted)), None)

    def _paths_above(self, rule: PathRule | UnixRule, layers: int) -> Iterator[Rule]:
        for text in _texts_above(rule):
            for has, one in self._paths.get(_key(rule, text), ()):
                if not layers & ~has:
                    yield one
        if rule.glob is not None and self._patterns.by_folder:
            yield from self._patterns_above(rule, rule.glob, layers)

    def _patterns_above(self, rule: PathRule | UnixRule, glob: Glob, layers: int) -> Iterator[Rule]:
        for folder in _folders_above(glob):
            for has, one in self._patterns.by_folder.get(_key(rule, folder), ()):
                self._patterns.left -= 1
                if self._patterns.left < 0:
                    return
                if one is not rule and not layers & ~has and one.glob is not None and covers(one.glob, glob):
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
    yield from (f"{folder}/**" for folder in _folders_above(rule.glob))


def _folders_above(glob: Glob) -> Iterator[str]:
    folder = glob.folder
    while True:
        yield folder
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
