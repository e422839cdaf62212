"""What pydantic says of a document → problems with places, in the words of a policy."""

from collections.abc import Callable
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from model.document import (
    ContainersShape,
    DocumentShape,
    ExceptionShape,
    ImageShape,
    MetadataShape,
    PrivilegesShape,
    SelectShape,
    SpecShape,
)
from model.entries import ArgsShape, Conditional, EgressShape, IngressShape, ListenShape, PathShape, PathsShape, ProgramShape
from model.positions import Node
from model.problem import Code, Mark, Problem, Text, nearest, shown

_KINDS = {
    "string_type": "text",
    "list_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
}
_SHAPES: dict[tuple[int | str, ...], tuple[str, type[BaseModel]]] = {
    (): ("a policy", DocumentShape),
    ("metadata",): ("metadata", MetadataShape),
    ("spec",): ("spec", SpecShape),
    ("spec", "select"): ("select", SelectShape),
    ("spec", "select", "containers"): ("containers", ContainersShape),
    ("spec", "image"): ("image", ImageShape),
    ("spec", "privileges"): ("privileges", PrivilegesShape),
}
_RULES: dict[int | str, tuple[str, type[BaseModel]]] = {
    "exec": ("a rule for programs", ProgramShape),
    "egress": ("a network rule", EgressShape),
    "ingress": ("an ingress rule", IngressShape),
    "listen": ("a listen rule", ListenShape),
    "exceptions": ("an exception", ExceptionShape),
}


Place: TypeAlias = tuple[int | str, ...]
Named: TypeAlias = Callable[[Place], tuple[str, tuple[str, ...]]]
"""What people call the mapping at a place, and its fields."""


def problems_of(error: ValidationError, document: Node, text: Text, named: Named | None = None) -> list[Problem]:
    """Every error of one document, in the order of the text, each once. `named`: where it is no policy."""
    found = [_problem(detail, document, text, named or _place) for detail in error.errors(include_url=False)]
    return sorted(set(found), key=lambda problem: (problem.line, problem.column, problem.message))


def _problem(detail: ErrorDetails, document: Node, text: Text, named: Named) -> Problem:
    place, kind = detail["loc"], detail["type"]
    context: dict[str, Any] = detail.get("ctx") or {}
    node = document.find(place)
    if kind == "extra_forbidden":
        return _unknown_field(place, document, text, named)
    if kind == "missing":
        return text.problem(_named(document, place), f'{named(place[:-1])[0]} needs a field "{place[-1]}"', code=Code.MISSING)
    if kind == "too_short":
        return text.problem(_named(document, place), f'"{_field(place)}" is an empty list', "leave it out, or name at least one")
    if kind == "literal_error":
        return text.problem(node.mark, f'"{_field(place)}" is {shown(node.value)}', f"expected {context['expected']}")
    if kind in _KINDS:
        what = f'expected {_KINDS[kind]} for "{_field(place)}", not {_kind_of(node)}'
        return text.problem(_named(document, place), what)
    at = context.get("at", 0) if isinstance(node.value, str) else 0
    return text.problem(_inside(node.mark, at), context.get("message") or detail["msg"], context.get("hint", ""))


def _inside(mark: Mark, at: int) -> Mark:
    return Mark(mark.line, mark.column + at, max(1, mark.width - at)) if 0 < at < mark.width else mark


def _unknown_field(place: Place, document: Node, text: Text, named: Named) -> Problem:
    name, above = str(place[-1]), place[:-1]
    label, fields = named(above)
    mark = document.find(above).keys.get(name) or document.find(above).mark
    takes = f"{label} takes: {', '.join(fields)}"
    hint = "  ".join(filter(None, (nearest(name, fields), takes)))
    return text.problem(mark, f"unknown field {shown(name)} in {label}", hint, code=Code.UNKNOWN)


def _named(document: Node, place: tuple[int | str, ...]) -> Mark:
    """Where a field's name stands; where it is missing or an item of a list, the value's or the one's around it."""
    above = document.find(place[:-1])
    key = above.keys.get(str(place[-1])) if isinstance(above.value, dict) else None
    return key or document.find(place).mark


def _field(place: tuple[int | str, ...]) -> str:
    return next((step for step in reversed(place) if isinstance(step, str)), "the document")


def _kind_of(node: Node) -> str:
    if node.value is None:
        return "nothing"
    return "text" if isinstance(node.value, str) else "a list" if isinstance(node.value, list) else "a mapping"


def _place(place: tuple[int | str, ...]) -> tuple[str, tuple[str, ...]]:
    """What people call the mapping at this place, and its fields."""
    label, shape = _shape(place)
    own = [name for name in shape.model_fields if name not in Conditional.model_fields]
    names = [*own, *(name for name in Conditional.model_fields if name in shape.model_fields)]
    return label, tuple(shape.model_fields[name].alias or name for name in names)


def _shape(place: tuple[int | str, ...]) -> tuple[str, type[BaseModel]]:
    if place in _SHAPES:
        return _SHAPES[place]
    if len(place) == 2:
        return str(place[1]), PathsShape
    if place[-1] == "args":
        return "args", ArgsShape
    return _RULES.get(place[1], ("a path rule", PathShape))
