"""Paths of rules that lead to something else in an image or container at hand: what the kernel will report there instead."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from model.cover import Cover
from model.event import Layer
from model.glob import Glob
from model.lint import Warn, warner
from model.policy import PathRule, Policy, Rule, UnixRule
from model.problem import Code, Problem, shown
from model.verbs import layers_of

_IMAGE = 1 << Layer.IMAGE.number
_OF_THE_IMAGE = ("exec",)  # verbs whose literal paths must be there: a program that is missing is a slip of the pen
PathOf: TypeAlias = PathRule | UnixRule


class Place(Struct, frozen=True, gc=False):
    """Where a path leads in a root: its canonical form, and whether anything is there."""

    path: str
    exists: bool


def paths_of(policies: Iterable[Policy]) -> list[str]:
    """What has to be resolved: each rule's path, of a pattern the folder before its first wildcard. Each once."""
    return list(dict.fromkeys(rule.glob.folder for _, rule, _ in _all(policies) if rule.glob is not None and rule.glob.folder))


def elsewhere(policies: Sequence[Policy], texts: Mapping[str, str], places: Mapping[str, Place], where: str) -> list[Problem]:
    """A warning for each rule whose path leads elsewhere `where`. `places`: of each of `paths_of`; those missing are not told."""
    found: list[Problem] = []
    warn = warner(texts, found)
    for verb, rule, cover in _all(policies):
        place = places.get(rule.glob.folder) if rule.glob is not None else None
        if place is not None and rule.glob is not None:
            _look(verb, rule, rule.glob, cover, place, where, warn)
    return found


def _look(verb: str, rule: PathOf, glob: Glob, cover: Cover, place: Place, where: str, warn: Warn) -> None:
    if isinstance(rule, UnixRule) and not place.exists:
        return  # of a socket that is absent, the name is reported as it was asked for
    if place.path != glob.folder:
        written = place.path.rstrip("/") + glob.text.removeprefix(glob.folder)
        if not _has(cover, verb, rule, written):
            warn(Code.ELSEWHERE, rule.source, f"{shown(rule.text)} is {shown(written)} in {where}", _hint(written, glob))
    elif not place.exists and glob.literal and verb in _OF_THE_IMAGE and layers_of(verb, rule, deny=False) == _IMAGE:
        hint = "is the name right? a program of a volume is written {path: …, from: [volume]}"
        warn(Code.NOT_THERE, rule.source, f"{shown(rule.text)} is not in {where}", hint)


def _has(cover: Cover, verb: str, rule: PathOf, written: str) -> bool:
    """Whether the list holds the other form too."""
    layers = layers_of(verb, rule, deny=False)
    return cover.above(replace(rule, glob=Glob(written)), layers, itself=True) is not None


def _hint(written: str, glob: Glob) -> str:
    if "/..2" in written:
        return f'a folder whose name changes with every update: write "{written.partition("/..2")[0]}/**"'
    if written.startswith("/proc/"):
        return "it leads to what each process has open: leave it out, or write the file that it has open"
    extra = ": all that this one program can do" if glob.literal and written.rpartition("/")[2] in ("busybox", "toybox") else ""
    return f'write "{written}"{extra}'


def _all(policies: Iterable[Policy]) -> Iterator[tuple[str, PathOf, Cover]]:
    """Every rule about a path outside of /proc, with its verb and what its list holds."""
    for policy in policies:
        for verb, rules in policy.verbs.items():
            for listed, deny in ((rules.allow or (), False), (rules.deny, True)):
                cover = Cover(verb, listed, deny=deny)
                yield from ((verb, rule, cover) for rule in listed if _is_path(rule))


def _is_path(rule: Rule) -> TypeGuard[PathOf]:
    if not isinstance(rule, PathRule | UnixRule) or rule.glob is None:
        return False
    return not getattr(rule, "abstract", False) and rule.glob.names[0] not in ("proc", "memfd:")
