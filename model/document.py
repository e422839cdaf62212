"""The shape of a policy document, and what each field may say. The runtime's form is in `model.policy`.

Validators raise PydanticCustomError with a message for people; its context may have `hint` and `at` (characters from the
value's beginning).
"""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from model.event import Layer
from model.glob import Glob, GlobError, check
from model.problem import nearest, shown
from model.verdict import Mode

API = "vedette.dev/v1alpha1"
VERBS = ("exec", "load", "read", "write", "egress", "listen")
IMAGE = "image"
LAYERS = {layer.name.lower(): layer for layer in Layer if layer is not Layer.HOST}
PROTOCOLS = ("tcp", "udp", "sctp")
_PIDS = ("1", "7", "10", "42", "999", "4194304")


def refuse(message: str, hint: str = "", at: int = 0) -> NoReturn:
    """Say what is wrong with a value. For use in validators."""
    raise PydanticCustomError("vedette", "{message}", {"message": message, "hint": hint, "at": at})


def _path(text: str) -> str:
    try:
        check(text)
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint, error.at)
    _check_process_folder(text)
    return text


def _check_process_folder(text: str) -> None:
    """Process ids are no behaviour: the kernel's key does not tell them apart, so no rule may."""
    names = text.split("/")
    if names[1] != "proc" or len(names) < 3 or names[2] == "**":
        return
    glob = Glob("/" + names[2])
    if len({glob.matches("/" + pid) for pid in _PIDS}) > 1 or names[2] in _PIDS or names[2].isdigit():
        rest = "/".join(("", *names[3:]))
        refuse(
            f"{shown(text)}: process ids are not told apart",
            f'write "/proc/self{rest}" or "/proc/*{rest}", with "from: [proc_other]" for other processes only',
        )


def _path_or_image(text: str) -> str:
    if text == IMAGE:
        return text
    if "/" not in text:
        hint = nearest(text, [IMAGE]) or 'write a path that begins with "/", or image'
        refuse(f"{shown(text)} is neither a path nor the word image", hint)
    return _path(text)


def _layer(word: str) -> str:
    if word not in LAYERS:
        refuse(f"unknown layer {shown(word)}", nearest(word, LAYERS) or "layers: " + ", ".join(LAYERS))
    return word


def _mode(word: str) -> str:
    if word == "enforce":
        refuse('mode "enforce" is not there yet', "use alert")
    if word not in tuple(Mode):
        refuse(f"unknown mode {shown(word)}", nearest(word, Mode) or "modes: " + ", ".join(Mode))
    return word


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or CIDR. Raises PydanticCustomError."""
    try:
        found = ip_network(text.partition("%")[0] if "/" not in text else text, strict=False)
    except ValueError:
        refuse(f"{shown(text)} is no address, CIDR or unix: path", _network_hint(text))
    if isinstance(found, IPv6Network) and found.subnet_of(IPv6Network("::ffff:0:0/96")):
        plain = IPv4Network((int(found.network_address) & 0xFFFFFFFF, found.prefixlen - 96))
        refuse(f"{shown(text)}: IPv4 addresses are written as IPv4", f'write "{plain}"')
    written = text.partition("/")[0]
    if "/" in text and ip_network(written).network_address != found.network_address:
        refuse(f"{shown(text)} has bits behind its prefix", f'write "{found}" for the network or "{written}" for the address')
    return found


def _network_hint(text: str) -> str:
    if text.startswith(("/", "@")):
        return f'a socket\'s file is written "unix:{text}"'
    if text.rpartition(":")[2].isdigit() and text.count(":") == 1:
        return "ports stand in a list of their own: {to: ADDRESS, ports: [443/tcp]}"
    if any(char.isalpha() for char in text) and ":" not in text:
        return "names are not resolved yet: write addresses"
    return 'for example "10.0.0.0/8", "2001:db8::1", "unix:/run/app.sock", "unix:@abstract"'


def _peer(text: str) -> str:
    if not text.startswith("unix:"):
        network(text)
        return text
    where = text.removeprefix("unix:")
    if where.startswith("@") and len(where) > 1:
        _check_abstract(text, where[1:])
    else:
        try:
            check(where)
        except GlobError as error:
            refuse(f"{shown(text)}: {error}", error.hint, error.at + len("unix:"))
    return text


def _check_abstract(text: str, name: str) -> None:
    """An abstract name is one text, where `/` means nothing: no normal form, but the same wildcards."""
    try:
        check("/" + "/".join(part if part not in ("", ".", "..") else "x" for part in name.split("/")))
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint)


def _address(text: str) -> str:
    network(text)
    return text


def ports(text: str) -> tuple[str, int, int]:
    """`443/tcp` or `8000-9000/tcp` as (protocol, lowest, highest). Raises PydanticCustomError."""
    numbers, slash, protocol = text.partition("/")
    low, dash, high = numbers.partition("-")
    if not slash:
        refuse(f"{shown(text)} has no protocol", f'write "{text}/tcp"' if _is_port(text) else 'for example "443/tcp"')
    if protocol not in PROTOCOLS:
        hint = nearest(protocol, PROTOCOLS) or "protocols: " + ", ".join(PROTOCOLS)
        refuse(f"unknown protocol {shown(protocol)}", hint, len(numbers) + 1)
    if not _is_port(low) or (dash and not _is_port(high)):
        refuse(f"{shown(numbers)} is no port", 'ports are 0 to 65535; a range is written "8000-9000/tcp"')
    if dash and int(low) > int(high):
        refuse(f"the range {shown(numbers)} runs backwards", f'write "{high}-{low}/{protocol}"')
    return protocol, int(low), int(high or low)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


def _ports(text: str) -> str:
    ports(text)
    return text


def _name(text: str) -> str:
    if not text or len(text) > 253 or not all(char.isascii() and (char.isalnum() or char in "-._") for char in text):
        refuse(f"{shown(text)} is no name", "letters, digits, '-', '.' and '_', at most 253")
    return text


def _pattern(text: str) -> str:
    if not text or len(text) > 1024:
        refuse(f"{shown(text)} is no pattern", "1 to 1024 characters")
    try:
        check("/" + text.lstrip("/"))
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint)
    return text


def _shorthand(field: str, example: str) -> Callable[[Any], Any]:
    """A text instead of a mapping stands for one of its fields."""

    def expand(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
        if isinstance(value, str):
            return {field: [value] if field == "ports" else value}
        if not isinstance(value, dict):
            refuse(f"expected {example}")
        return value

    return expand


class Shape(BaseModel):
    """What all parts have in common: no unknown fields, no conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PathShape(Shape):
    """A path, or a mapping with path and from."""

    path: Annotated[str, AfterValidator(_path_or_image)]
    layers: list[Annotated[str, AfterValidator(_layer)]] | None = Field(default=None, alias="from", min_length=1)

    @model_validator(mode="after")
    def _image_is_a_layer(self) -> "PathShape":
        if self.path == IMAGE and self.layers is not None:
            refuse("image is a layer itself", 'leave "from" out, or write path: /**')
        return self


class EgressShape(Shape):
    """An address, CIDR or unix: path, or a mapping with to and ports."""

    to: Annotated[str, AfterValidator(_peer)]
    ports: Annotated[list[Annotated[str, AfterValidator(_ports)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _sockets_have_no_ports(self) -> "EgressShape":
        if self.ports is not None and self.to.startswith("unix:"):
            refuse("a unix socket has no ports", 'leave "ports" out')
        return self


class ListenShape(Shape):
    """A port, or a mapping with address and ports."""

    address: Annotated[str, AfterValidator(_address)] | None = None
    ports: Annotated[list[Annotated[str, AfterValidator(_ports)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ListenShape":
        if self.address is None and self.ports is None:
            refuse("a listen rule needs address or ports", 'for example "443/tcp"')
        return self


PathItem = Annotated[PathShape, BeforeValidator(_shorthand("path", "a path, or a mapping with path and from"))]
EgressItem = Annotated[EgressShape, BeforeValidator(_shorthand("to", "an address, or a mapping with to and ports"))]
ListenItem = Annotated[ListenShape, BeforeValidator(_shorthand("ports", "a port, or a mapping with address and ports"))]


class VerbShape(Shape):
    """What a verb may have: lists of rules."""

    @model_validator(mode="after")
    def _says_something(self) -> "VerbShape":
        if not self.model_fields_set:
            refuse("says nothing: needs allow or deny", '"allow: []" allows nothing')
        return self


class PathsShape(VerbShape):
    """Rules of exec, load, read and write."""

    allow: list[PathItem] = []
    deny: list[PathItem] = []


class PeersShape(VerbShape):
    """Rules of egress."""

    allow: list[EgressItem] = []
    deny: list[EgressItem] = []


class PortsShape(VerbShape):
    """Rules of listen."""

    allow: list[ListenItem] = []
    deny: list[ListenItem] = []


class ContainersShape(Shape):
    """Containers by name."""

    names: Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(min_length=1)]


class SelectShape(Shape):
    """Which containers: those that fit every field."""

    containers: ContainersShape | None = None
    images: Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "SelectShape":
        if self.containers is None and self.images is None:
            refuse("selects nothing", 'every container: {containers: {names: ["*"]}}')
        return self


def _modes(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if isinstance(value, str):
        _mode(value)
        return dict.fromkeys(VERBS, value)
    if not isinstance(value, dict):
        refuse("expected learn or alert, or a mapping of verbs to modes")
    for verb in value:
        if verb not in VERBS:
            refuse(f"unknown verb {shown(verb)} in mode", nearest(verb, VERBS) or "verbs: " + ", ".join(VERBS))
    return value


class SpecShape(Shape):
    """What the selected containers may do."""

    select: SelectShape
    mode: Annotated[dict[str, Annotated[str, AfterValidator(_mode)]], BeforeValidator(_modes)] = Field(
        default=dict.fromkeys(VERBS, str(Mode.ALERT))
    )
    exec: PathsShape | None = None
    load: PathsShape | None = None
    read: PathsShape | None = None
    write: PathsShape | None = None
    egress: PeersShape | None = None
    listen: PortsShape | None = None

    @model_validator(mode="after")
    def _has_a_mode_for_each_verb(self) -> "SpecShape":
        for verb in VERBS:
            if getattr(self, verb) is not None and verb not in self.mode:
                refuse(f"mode does not say what holds for {verb}", f'add "{verb}: learn" or "{verb}: alert" to it')
        return self


class MetadataShape(Shape):
    """The policy's name."""

    name: Annotated[str, AfterValidator(_name)]
    namespace: Annotated[str, AfterValidator(_name)] | None = None


class DocumentShape(Shape):
    """One policy document."""

    apiVersion: Literal["vedette.dev/v1alpha1"]  # noqa: N815 - the field's name in Kubernetes
    kind: Literal["Policy"]
    metadata: MetadataShape
    spec: SpecShape
