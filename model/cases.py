"""The shapes of test files: what a case may say, and the short forms of it. `model.testing` reads them."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from model.entries import Shape
from model.event import Access, Flag, Operation, Session
from model.fields import LAYERS, ports, refuse
from model.problem import nearest, shown
from model.verdict import Mode, Outcome, Reason, Severity

EVENTS = ("exec", "load", "open", "change", "connect", "accept", "listen")
_SESSIONS = tuple(session for session in Session if session is not Session.RUNTIME)


def _one_of(what: str, words: Iterable[str]) -> AfterValidator:
    known = tuple(map(str, words))

    def check(word: str) -> str:
        if word not in known:
            refuse(f"unknown {what} {shown(word)}", nearest(word, known) or f"one of: {', '.join(known)}")
        return word

    return AfterValidator(check)


def _flags_of(kind: type[Access] | type[Flag]) -> list[str]:
    return [(one.name or "").lower() for one in kind]


def _path(text: str) -> str:
    if not text.startswith("/"):
        refuse(f"{shown(text)} is no absolute path", f'write "/{text}"')
    if any(name in (".", "..") for name in text.split("/")) or "//" in text or "\0" in text:
        refuse(f"{shown(text)}: the kernel reports no such path", "write the resolved path")
    return text


def _port(text: str) -> str:
    _, low, high = ports(text)
    if low != high:
        refuse(f"{shown(text)} is no single port", f'for example "{low}/tcp"')
    return text


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        refuse(f"{shown(text)} is no address", 'for example "10.0.0.1" or "2001:db8::1"')
    return text


def _peer(text: str) -> str:
    if text.startswith("unix:"):
        if not text.startswith(("unix:@", "unix:/")) or len(text) < 7:
            refuse(f"{shown(text)} is no unix socket", '"unix:/run/app.sock" or "unix:@abstract"')
        return text
    address, port = split_peer(text)
    if not address:
        refuse(f"{shown(text)} has no port", 'for example "10.0.0.1:443/tcp", "[2001:db8::1]:443/tcp", "unix:/run/app.sock"')
    _address(address)
    _port(port)
    return text


def split_peer(text: str) -> tuple[str, str]:
    """`10.0.0.1:443/tcp` as address and port; `[::1]:443/tcp` likewise."""
    address, _, port = text.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), port


def _number(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 10:
        refuse(f"{shown(value)} is no number" if isinstance(value, str) else "expected a number", "a whole number from 0 on")
    return int(value)


def _short(field: str) -> BeforeValidator:
    """A text stands for a mapping with this field."""

    def expand(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
        return {field: value} if isinstance(value, str) else value

    return BeforeValidator(expand)


def _listed(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    return [value] if isinstance(value, str) else value


def _expected(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if not isinstance(value, str):
        return value
    if value in tuple(Outcome):
        return {"verdict": value}
    known = (*Outcome, *filter(None, Reason))
    if value not in known:
        refuse(f"{shown(value)} is neither a verdict nor a reason", nearest(value, known) or "for example allowed, exec.drift")
    return {"reason": value}


Number = Annotated[int, BeforeValidator(_number)]
Path = Annotated[str, AfterValidator(_path)]
LayerWord = Annotated[str, _one_of("layer", LAYERS)]


class FileShape(Shape):
    """A file: a path, or a mapping with path and from."""

    path: Path
    layer: LayerWord | None = Field(default=None, alias="from")
    flags: list[Annotated[str, _one_of("flag", _flags_of(Flag))]] = Field(default=[])


class ExecShape(FileShape):
    """A program: a path, or a mapping."""

    args: list[str] = Field(default=[])  # without the program's own name
    called: str | None = Field(default=None, alias="as")  # argv[0]
    script: Annotated[FileShape, _short("path")] | None = None  # then `path` is its interpreter


class OpenShape(FileShape):
    """A file that is opened."""

    access: Annotated[list[Annotated[str, _one_of("access", _flags_of(Access))]], BeforeValidator(_listed)] = Field(
        default=["read"], min_length=1
    )


class ChangeShape(FileShape):
    """A change without an open."""

    how: Annotated[str, _one_of("operation", Operation)] = str(Operation.UNLINK)
    to: Path | None = None  # of rename and link


class ConnectShape(Shape):
    """A peer: address:port/protocol, or unix:PATH; or a mapping."""

    to: Annotated[str, AfterValidator(_peer)]
    name: str | None = None  # the DNS name that it was looked up by
    layer: LayerWord | None = Field(default=None, alias="from")  # of a unix socket's file


class AcceptShape(Shape):
    """A connection from outside."""

    origin: Annotated[str, AfterValidator(_address)] = Field(alias="from")
    port: Annotated[str, AfterValidator(_port)]  # the container's


class ListenShape(Shape):
    """A port: 80/tcp, or a mapping."""

    port: Annotated[str, AfterValidator(_port)]
    address: Annotated[str, AfterValidator(_address)] = "0.0.0.0"  # noqa: S104 - what servers listen on


class WhoShape(Shape):
    """The container, as selectors see it."""

    name: str = "test"
    image: str = ""
    namespace: str | None = None  # of its pod


class ExpectShape(Shape):
    """What the policies should say: a verdict or a reason, or a mapping."""

    verdict: Annotated[str, _one_of("verdict", Outcome)] | None = None
    reason: Annotated[str, _one_of("reason", filter(None, Reason))] | None = None
    mode: Annotated[str, _one_of("mode", Mode)] | None = None
    severity: Annotated[str, _one_of("severity", Severity)] | None = None
    rule: str | None = None  # the decisive one, as written or by its id or the beginning of it

    @model_validator(mode="after")
    def _says_something(self) -> "ExpectShape":
        if not self.model_fields_set:
            refuse("expects nothing", "for example allowed, or exec.drift")
        return self


class CaseShape(Shape):
    """One thing that a container does, and what is expected."""

    name: str | None = None
    exec: Annotated[ExecShape, _short("path")] | None = None
    load: Annotated[FileShape, _short("path")] | None = None
    open: Annotated[OpenShape, _short("path")] | None = None
    change: Annotated[ChangeShape, _short("path")] | None = None
    connect: Annotated[ConnectShape, _short("to")] | None = None
    accept: AcceptShape | None = None
    listen: Annotated[ListenShape, _short("port")] | None = None
    container: WhoShape | None = None  # else the group's
    session: Annotated[str, _one_of("session", _SESSIONS)] = str(Session.MAIN)
    user: Number = 0  # effective user id
    age_s: Number = 3600  # seconds since the container started
    expect: Annotated[ExpectShape, BeforeValidator(_expected)]

    @model_validator(mode="after")
    def _does_one_thing(self) -> "CaseShape":
        done = [kind for kind in EVENTS if getattr(self, kind) is not None]
        if len(done) != 1:
            what = f"does {' and '.join(done)}" if done else "does nothing"
            refuse(f"a case {what}: it has one of {', '.join(EVENTS)}", "for example exec: /bin/sh")
        return self


class GroupShape(Shape):
    """Cases about the same policies."""

    policies: Annotated[list[str], Field(min_length=1)] | None = None  # files, from the test's folder; else NAME.yaml
    container: WhoShape = WhoShape()
    cases: Annotated[list[CaseShape], Field(min_length=1)]
