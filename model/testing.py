"""Tests of policies: cases of what a container does, and what the policies should say of it. `model.trial` runs them.

A file `NAME.test.yaml` beside `NAME.yaml`; several documents in it are several groups of cases.

    container: {name: web, image: nginx}
    cases:
      - exec: /usr/sbin/nginx
        expect: allowed
      - open: {path: /etc/shadow, access: read}
        session: exec
        expect: read.denied
"""

from collections.abc import Callable

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from model.cases import (
    EVENTS,
    AcceptShape,
    CaseShape,
    ChangeShape,
    ConnectShape,
    ExecShape,
    ExpectShape,
    FileShape,
    GroupShape,
    ListenShape,
    OpenShape,
    WhoShape,
)
from model.complaints import problems_of
from model.positions import Node, read
from model.problem import PolicyError, Problem, Text

ENDING = ".test.yaml"


class Case(Struct, frozen=True):
    """One case and where it stands."""

    shape: CaseShape
    who: WhoShape
    title: str
    problem: Callable[[str, str], Problem]  # (message, hint): at its place

    @property
    def kind(self) -> str:
        """Which of EVENTS it is."""
        return next(kind for kind in EVENTS if getattr(self.shape, kind) is not None)


class Named(Struct, frozen=True):
    """A policy file that a group names. `problem` is at its place."""

    file: str
    problem: Callable[[str, str], Problem]


class Group(Struct, frozen=True):
    """Cases about the same policies. `policies` is empty where the file's own name says which."""

    policies: tuple[Named, ...]
    cases: tuple[Case, ...]


def parse(text: str, name: str) -> tuple[Group, ...]:
    """The groups of a test file. Raises PolicyError listing every problem; bounded as policies are."""
    source = Text(text, name)
    groups: list[Group] = []
    problems: list[Problem] = []
    for document in read(source):
        try:
            shape = GroupShape.model_validate(document.plain())
        except ValidationError as error:
            problems += problems_of(error, document, source, _named)
        else:
            groups.append(_group(shape, document, source))
    if problems:
        raise PolicyError(problems)
    return tuple(groups)


def _group(shape: GroupShape, document: Node, text: Text) -> Group:
    files = enumerate(shape.policies or ())
    named = tuple(Named(file, _at(document.find(("policies", index)), text)) for index, file in files)
    nodes = [document.find(("cases", index)) for index in range(len(shape.cases))]
    return Group(named, tuple(_case(case, shape.container, node, text) for case, node in zip(shape.cases, nodes, strict=True)))


def _case(shape: CaseShape, who: WhoShape, node: Node, text: Text) -> Case:
    kind = next(kind for kind in EVENTS if getattr(shape, kind) is not None)
    said = getattr(shape, kind)
    subject = next(value for value in (getattr(said, field, None) for field in ("path", "to", "port")) if value)
    return Case(shape, shape.container or who, shape.name or f"{kind} {subject}", _at(node, text, kind))


def _at(node: Node, text: Text, key: str = "") -> Callable[[str, str], Problem]:
    mark = node.keys.get(key) or node.mark
    return lambda message, hint: text.problem(mark, message, hint)


_SHAPES: dict[str, tuple[str, type[BaseModel]]] = {
    "exec": ("exec", ExecShape), "load": ("load", FileShape), "open": ("open", OpenShape), "change": ("change", ChangeShape),
    "connect": ("connect", ConnectShape), "accept": ("accept", AcceptShape), "listen": ("listen", ListenShape),
    "container": ("container", WhoShape), "expect": ("expect", ExpectShape), "script": ("script", FileShape),
}  # fmt: skip


def _named(place: tuple[int | str, ...]) -> tuple[str, tuple[str, ...]]:
    """What people call the mapping at this place, and its fields."""
    label, shape = ("a test file", GroupShape) if not place else _SHAPES.get(str(place[-1]), ("a case", CaseShape))
    return label, tuple(field.alias or name for name, field in shape.model_fields.items())
