"""The shapes of rules: what an entry of an allow or deny list may say, verb by verb. Single fields: `model.fields`."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from model.fields import (
    IMAGE,
    address,
    argument,
    called,
    host_name,
    is_name,
    layer,
    name,
    path_or_image,
    peer,
    port_range,
    refuse,
    session,
    startup,
)
from model.problem import nearest, shown

KUBERNETES = ("service", "namespace")  # peers that only Kubernetes can name


Argument = Annotated[str, AfterValidator(argument)]
Address = Annotated[str, AfterValidator(address)]
CalledBy = Annotated[str, AfterValidator(called)]
Duration = Annotated[str, AfterValidator(startup)]
InLayer = Annotated[str, AfterValidator(layer)]
InSession = Annotated[str, AfterValidator(session)]
Ports = Annotated[list[Annotated[str, AfterValidator(port_range)]], Field(min_length=1)]


class Shape(BaseModel):
    """What all parts have in common: no unknown fields, no conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Conditional(Shape):
    """Conditions that every entry may have beside its path or peer."""

    sessions: list[InSession] | None = Field(default=None, alias="session", min_length=1)
    startup: Duration | None = None


class PathShape(Conditional):
    """A path, or a mapping with path and from."""

    path: Annotated[str, AfterValidator(path_or_image)]
    layers: list[InLayer] | None = Field(default=None, alias="from", min_length=1)

    @model_validator(mode="after")
    def _image_is_a_layer(self) -> "PathShape":
        if self.path == IMAGE and self.layers is not None:
            refuse("image is a layer itself", 'leave "from" out, or write path: /**')
        return self


class ArgsShape(Shape):
    """All arguments, or a mapping with exact or prefix."""

    exact: list[Argument] | None = None
    prefix: Annotated[list[Argument], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "ArgsShape":
        if (self.exact is None) == (self.prefix is None):
            refuse("args says exact or prefix", 'the list alone is exact; "args: []" is without arguments')
        return self


def _exact(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if isinstance(value, list):
        return {"exact": value}
    if not isinstance(value, dict):
        refuse("expected a list of arguments, or {prefix: […]}", '"args: []" is without arguments')
    return value


class ProgramShape(PathShape):
    """A program's path, or a mapping with path, from, args, as."""

    args: Annotated[ArgsShape, BeforeValidator(_exact)] | None = None
    called: list[CalledBy] | None = Field(default=None, alias="as", min_length=1)


def _kubernetes(value: dict[Any, Any]) -> dict[Any, Any]:
    """`{service: shop/api}` or `{namespace: edge}`."""
    kinds = ", ".join(KUBERNETES)
    if len(value) != 1 or next(iter(value)) not in KUBERNETES:
        unknown = next((word for word in value if word not in KUBERNETES), "")
        refuse("a peer of Kubernetes has one field", nearest(str(unknown), KUBERNETES) or f"one of: {kinds}")
    kind, said = next(iter(value.items()))
    if not isinstance(said, str):
        refuse(f'expected text for "{kind}"', "for example {service: shop/api} or {namespace: edge}")
    parts = said.split("/")
    if len(parts) != (2 if kind == "service" else 1):
        hint = f'write "NAMESPACE/{parts[-1]}"' if kind == "service" else "a namespace's name alone"
        refuse(f"{shown(said)} names no {kind}", hint)
    for part in parts:
        name(part)
    return value


def _to(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if isinstance(value, dict):
        return _kubernetes(value)
    if not isinstance(value, str):
        refuse("expected an address, a DNS name, a unix: path, or a mapping with service or namespace")
    return peer(value)


def _from(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if isinstance(value, dict):
        return _kubernetes(value)
    if not isinstance(value, str):
        refuse("expected an address, or a mapping with service or namespace")
    if value.startswith("unix:") or is_name(value):
        what = "names" if is_name(value) and host_name(value) else "unix sockets"
        refuse(f"{shown(value)}: who connects is not known by {what}", "write an address or CIDR")
    return address(value)


_OF_KUBERNETES = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {k: {"type": "string"} for k in KUBERNETES},
}
_PEER_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {**_OF_KUBERNETES, "additionalProperties": False}]})


class EgressShape(Conditional):
    """An address, CIDR, DNS name or unix: path, or a mapping with to and ports."""

    to: Annotated[Any, AfterValidator(_to), _PEER_SCHEMA]
    ports: Ports | None = None

    @model_validator(mode="after")
    def _sockets_have_no_ports(self) -> "EgressShape":
        if self.ports is not None and isinstance(self.to, str) and self.to.startswith("unix:"):
            refuse("a unix socket has no ports", 'leave "ports" out')
        return self


class IngressShape(Conditional):
    """An address or CIDR, or a mapping with from and ports."""

    origin: Annotated[Any, AfterValidator(_from), _PEER_SCHEMA] = Field(alias="from")
    ports: Ports | None = None  # the container's own


class ListenShape(Conditional):
    """A port, or a mapping with address and ports."""

    address: Address | None = None
    ports: Ports | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ListenShape":
        if self.address is None and self.ports is None:
            refuse("a listen rule needs address or ports", 'for example "443/tcp"')
        return self


def _shorthand(field: str, example: str) -> Callable[[Any], Any]:
    """A text instead of a mapping stands for one of its fields."""

    def expand(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
        if isinstance(value, str):
            return {field: [value] if field == "ports" else value}
        if not isinstance(value, dict):
            refuse(f"expected {example}")
        return value

    return expand


def _at_all_times(item: Conditional) -> Conditional:
    if item.startup is not None:
        refuse("what is denied is denied at all times", 'leave "startup" out; it is for allow lists')
    return item


_ALWAYS = AfterValidator(_at_all_times)
PathItem = Annotated[PathShape, BeforeValidator(_shorthand("path", "a path, or a mapping with path and from"))]
ProgramItem = Annotated[ProgramShape, BeforeValidator(_shorthand("path", "a path, or a mapping with path, from, args, as"))]
EgressItem = Annotated[EgressShape, BeforeValidator(_shorthand("to", "an address, or a mapping with to and ports"))]
IngressItem = Annotated[IngressShape, BeforeValidator(_shorthand("from", "an address, or a mapping with from and ports"))]
ListenItem = Annotated[ListenShape, BeforeValidator(_shorthand("ports", "a port, or a mapping with address and ports"))]


class VerbShape(Shape):
    """What a verb may have: lists of rules."""

    @model_validator(mode="after")
    def _says_something(self) -> "VerbShape":
        if not self.model_fields_set:
            refuse("says nothing: needs allow or deny", '"allow: []" allows nothing')
        return self


class ProgramsShape(VerbShape):
    """Rules of exec."""

    allow: list[ProgramItem] = []
    deny: list[Annotated[ProgramItem, _ALWAYS]] = []


class PathsShape(VerbShape):
    """Rules of load, read and write."""

    allow: list[PathItem] = []
    deny: list[Annotated[PathItem, _ALWAYS]] = []


class EgressListsShape(VerbShape):
    """Rules of egress."""

    allow: list[EgressItem] = []
    deny: list[Annotated[EgressItem, _ALWAYS]] = []


class IngressListsShape(VerbShape):
    """Rules of ingress."""

    allow: list[IngressItem] = []
    deny: list[Annotated[IngressItem, _ALWAYS]] = []


class ListenListsShape(VerbShape):
    """Rules of listen."""

    allow: list[ListenItem] = []
    deny: list[Annotated[ListenItem, _ALWAYS]] = []
