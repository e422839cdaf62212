"""Paths of rules that lead to something else in an image or container at hand: what the kernel will report there instead."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from model.cover import Cover
from model.event import Layer
from model.glob import Glob
from model.lint import Warn, warner
from model.policy import PathRule, Policy, UnixRule
from model.problem import Code, Problem, shown
from model.verbs import layers_of

_IMAGE = 1 << Layer.IMAGE.number
_OF_THE_IMAGE = ("exec",)  # verbs whose literal paths must be there: a program that is missing is a slip of the pen
PathOf: TypeAlias = PathRule | UnixRule


class Place(Struct, frozen=True, gc=False):
    """Where a path leads in a root: its canonical form, and whether anything is there."""

    path: str
    exists: bool


class _Written(Struct, frozen=True):
    """A rule about a path, where it is written."""

    verb: str
    deny: bool
    rule: PathOf
    glob: Glob
    cover: Cover  # of its list

    @property
    def layers(self) -> int:
        return layers_of(self.verb, self.rule, deny=self.deny)

    def has(self, path: str) -> bool:
        """Whether its list holds the same with this path."""
        return self.cover.above(replace(self.rule, glob=Glob(path)), self.layers, itself=True) is not None


def paths_of(policies: Iterable[Policy]) -> list[str]:
    """What has to be resolved: each rule's path, of a pattern the folder before its first wildcard. Each once."""
    return list(dict.fromkeys(one.glob.folder for one in _all(policies) if one.glob.folder))


def elsewhere(policies: Sequence[Policy], texts: Mapping[str, str], places: Mapping[str, Place], where: str) -> list[Problem]:
    """A warning for each rule whose path leads elsewhere `where`. `places`: of each of `paths_of`; those missing are not told."""
    found: list[Problem] = []
    warn = warner(texts, found)
    for one in _all(policies):
        place = places.get(one.glob.folder)
        if place is not None:
            _look(one, place, where, warn)
    return found


def _look(one: _Written, place: Place, where: str, warn: Warn) -> None:
    rule, glob = one.rule, one.glob
    if isinstance(rule, UnixRule) and not place.exists:
        return  # of a socket that is absent, the name is reported as it was asked for
    if place.path != glob.folder:
        written = place.path.rstrip("/") + glob.text.removeprefix(glob.folder)
        if not one.has(written):
            warn(Code.ELSEWHERE, rule.source, f"{shown(rule.text)} is {shown(written)} in {where}", _hint(written, glob))
    elif not place.exists and glob.literal and one.verb in _OF_THE_IMAGE and not one.deny and one.layers == _IMAGE:
        hint = "is the name right? a program of a volume is written {path: …, from: [volume]}"
        warn(Code.NOT_THERE, rule.source, f"{shown(rule.text)} is not in {where}", hint)


def _hint(written: str, glob: Glob) -> str:
    if "/..2" in written:
        return f'a folder whose name changes with every update: write "{written.partition("/..2")[0]}/**"'
    if written.startswith("/proc/"):
        return "it leads to what each process has open: leave it out, or write the file that it has open"
    extra = ": all that this one program can do" if glob.literal and written.rpartition("/")[2] in ("busybox", "toybox") else ""
    return f'write "{written}"{extra}'


def _all(policies: Iterable[Policy]) -> Iterator[_Written]:
    """Every rule about a path outside of /proc."""
    for policy in policies:
        for verb, rules in policy.verbs.items():
            for listed, deny in ((rules.allow or (), False), (rules.deny, True)):
                cover = Cover(verb, listed, deny=deny)
                for rule in listed:
                    if isinstance(rule, PathRule | UnixRule) and rule.glob is not None and not _is_apart(rule, rule.glob):
                        yield _Written(verb, deny, rule, rule.glob, cover)


def _is_apart(rule: PathOf, glob: Glob) -> bool:
    """Whether what it names is in no folder of the container."""
    return (isinstance(rule, UnixRule) and rule.abstract) or glob.names[0] == "proc" or glob.names[0].startswith("memfd:")
