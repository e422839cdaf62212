"""DNS messages that a container received or sent (RFC 1035). Hostile bytes: every count, length and pointer is bounded.

Only addresses that belong to the question count: those of the name asked for, or of a name that it leads to by CNAMEs of the
same message. A message that is cut short gives what its whole records say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct

from model.text import from_bytes

_HEADER = Struct(">6H")
_QUESTION = Struct(">2H")
_RECORD = Struct(">2HIH")
_A, _CNAME, _AAAA = 1, 5, 28
_IN = 1
_ANSWER, _ERROR_MASK = 0x8000, 0x000F
_MAX_RECORDS = 64
_MAX_NAME = 255  # bytes, RFC 1035 2.3.4
_MAX_ALIASES = 16
_POINTER = 0xC0
QUERY = -1  # in the place of an answer's rcode


@dataclass(frozen=True, slots=True)
class Answer:
    """What the message says of the name asked for."""

    name: str  # lower case, without the last dot
    type: int
    rcode: int  # QUERY: it is none
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]
    ttl_s: int  # the smallest of the records used; 0 without any


@dataclass(frozen=True, slots=True)
class _Found:
    owner: str
    type: int
    ttl_s: int
    value: str


def parse(message: bytes) -> Answer:
    """Read an answer, or a query, which says nothing but its question. ValueError where it is neither, or can't be read."""
    if len(message) < _HEADER.size:
        raise ValueError("shorter than a DNS header")
    _id, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if questions != 1:
        raise ValueError("not about one question")
    name, at = _name(message, _HEADER.size)
    if at + _QUESTION.size > len(message):
        raise ValueError("the question is cut")
    kind, _class = _QUESTION.unpack_from(message, at)
    if not flags & _ANSWER:
        return Answer(name, kind, QUERY, (), (), 0)
    found = list(_records(message, at + _QUESTION.size, min(answers, _MAX_RECORDS)))
    return _followed(name, kind, flags & _ERROR_MASK, found)


def _followed(name: str, kind: int, rcode: int, found: list[_Found]) -> Answer:
    aliases, ttls = _chain(name, found)
    owners = {name, *aliases}
    answers = [one for one in found if one.type != _CNAME and one.owner in owners]
    addresses = tuple(dict.fromkeys(one.value for one in answers))
    return Answer(name, kind, rcode, addresses, aliases, min([*ttls, *(one.ttl_s for one in answers)], default=0))


def _chain(name: str, found: list[_Found]) -> tuple[tuple[str, ...], list[int]]:
    """The names that `name` leads to by CNAMEs, and their times to live."""
    leads = {one.owner: one for one in reversed(found) if one.type == _CNAME}
    chain: list[_Found] = []
    seen = {name}
    at = leads.get(name)
    while at and at.value not in seen and len(chain) < _MAX_ALIASES:
        chain.append(at)
        seen.add(at.value)
        at = leads.get(at.value)
    return tuple(one.value for one in chain), [one.ttl_s for one in chain]


def _records(message: bytes, at: int, count: int) -> Iterator[_Found]:
    """The records of use, up to the first one that can't be read."""
    for _ in range(count):
        try:
            owner, at = _name(message, at)
            if at + _RECORD.size > len(message):
                return
            kind, family, ttl, length = _RECORD.unpack_from(message, at)
            at += _RECORD.size
            value = _value(message, kind, at, length)
        except ValueError:
            return  # cut or broken from here on: what was whole stands
        at += length
        if value and family == _IN:
            yield _Found(owner, kind, ttl, value)


def _value(message: bytes, kind: int, at: int, length: int) -> str:
    if at + length > len(message):
        raise ValueError("a record is cut")
    if kind == _A and length == 4:
        return inet_ntop(AF_INET, message[at : at + 4])
    if kind == _AAAA and length == 16:
        return inet_ntop(AF_INET6, message[at : at + 16])
    return _name(message, at)[0] if kind == _CNAME else ""


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and the offset behind it. A pointer may only lead back, so that there can be no loop."""
    labels: list[bytes] = []
    size, after, limit = 0, -1, at
    while True:
        length = message[at] if at < len(message) else _POINTER - 1
        if length >= _POINTER and at + 1 < len(message):
            after = at + 2 if after < 0 else after
            at = (length & 0x3F) << 8 | message[at + 1]
            if at >= limit:
                raise ValueError("a pointer that does not lead back")
            limit = at
        elif length > 63 or at + 1 + length > len(message):
            raise ValueError("a label that is no label, or is cut")
        else:
            size += length + 1
            if size > _MAX_NAME:
                raise ValueError("a name of more than 255 bytes")
            at += 1 + length
            if not length:
                return ".".join(map(_label, labels)), at if after < 0 else after
            labels.append(message[at - length : at])


def _label(raw: bytes) -> str:
    """A label as text. A dot inside of it is escaped, so that it can't pose as two."""
    return from_bytes(raw.lower()).replace(".", "\\x2e")
