"""BTF, the kernel's type format, as far as we need it: sizes, offsets, enums, and the variables of a section.

Format: Documentation/bpf/btf.rst of the kernel. A blob is a header, the types one after another (ids count from 1), and a
table of NUL-terminated strings. Only for objects that we built ourselves; the kernel's own BTF has 130,000 types and is
asked through libbpf.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

_HEADER = Struct("<HBBIIIII")
_TYPE = Struct("<III")
_MAGIC = 0xEB9F
INT, POINTER, ARRAY, STRUCT, UNION, ENUM, _FORWARD, TYPEDEF = range(1, 9)
VOLATILE, CONST, RESTRICT, _FUNCTION, PROTOTYPE, VARIABLE, SECTION, FLOAT, DECLARATION_TAG, TYPE_TAG, ENUM64 = range(9, 20)
_ALIASES = {TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG}
_ENTRY_BYTES = {STRUCT: 12, UNION: 12, ENUM: 8, PROTOTYPE: 8, SECTION: 12, ENUM64: 12}
_EXTRA_BYTES = {INT: 4, ARRAY: 12, VARIABLE: 4, DECLARATION_TAG: 4}


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `size` is the id of the type referred to where the kind has no size of its own."""

    name: str
    kind: int
    size: int
    entries: tuple[tuple[int, int, int], ...]  # members: name, type, bit offset; section: type, offset, size
    extra: bytes


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union."""

    name: str  # "" for an anonymous struct or union
    type: int
    offset: int  # bytes


class Btf:
    """The types of one object."""

    def __init__(self, blob: bytes) -> None:
        magic, _version, _flags, header, types, types_size, strings, strings_size = _HEADER.unpack_from(blob)
        if magic != _MAGIC:
            raise ValueError("not BTF of this byte order")
        self._strings = blob[header + strings : header + strings + strings_size]
        self._types = [Type("void", 0, 0, (), b""), *self._read(blob[header + types : header + types + types_size])]
        self._names = {(t.kind, t.name): number for number, t in enumerate(self._types) if t.name}

    def _read(self, blob: bytes) -> Iterator[Type]:
        at = 0
        while at < len(blob):
            name, info, size = _TYPE.unpack_from(blob, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            at += _TYPE.size
            entries = blob[at : at + count * _ENTRY_BYTES.get(kind, 0)]
            at += len(entries)
            extra = blob[at : at + _EXTRA_BYTES.get(kind, 0)]
            at += len(extra)
            yield Type(self._text(name), kind, size, _triples(kind, entries), extra)

    def _text(self, at: int) -> str:
        return self._strings[at : self._strings.index(0, at)].decode()

    def find(self, kind: int, name: str) -> int:
        """The id of the named type. KeyError if there is none."""
        return self._names[kind, name]

    def has(self, kind: int, name: str) -> bool:
        """Whether there is such a type."""
        return (kind, name) in self._names

    def resolve(self, number: int) -> Type:
        """The type behind typedefs, const and volatile."""
        while (found := self._types[number]).kind in _ALIASES:
            number = found.size
        return found

    def members(self, found: Type) -> list[Member]:
        """Of a struct or union, in order. Bit fields are not ours to have."""
        return [Member(self._text(name), number, (bits & 0xFFFFFF) // 8) for name, number, bits in found.entries]

    def element(self, array: Type) -> tuple[Type, int]:
        """Element type and length of an array."""
        number, _index, length = _TYPE.unpack(array.extra)
        return self.resolve(number), length

    def bytes_of(self, found: Type) -> int:
        """Size in memory."""
        if found.kind == POINTER:
            return 8
        if found.kind == ARRAY:
            element, length = self.element(found)
            return length * self.bytes_of(element)
        return found.size

    def values(self, enum: str) -> dict[str, int]:
        """The constants of an enum of 32 bits."""
        found = self._types[self.find(ENUM, enum)]
        return {self._text(name): value for name, value, _ in found.entries}

    def variables(self, section: str) -> dict[str, tuple[int, int]]:
        """Offset and size of each variable of a section such as ".rodata", by name."""
        found = self._types[self.find(SECTION, section)]
        return {self._types[number].name: (offset, size) for number, offset, size in found.entries}


def _triples(kind: int, entries: bytes) -> tuple[tuple[int, int, int], ...]:
    if kind == ENUM:
        return tuple((name, value, 0) for name, value in Struct("<Ii").iter_unpack(entries))
    if kind in (STRUCT, UNION, SECTION):
        return tuple((first, second, third) for first, second, third in _TYPE.iter_unpack(entries))
    return ()
