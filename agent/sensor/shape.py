"""The shape of a struct as Python unpacks it, from BTF: format, names of the values, places of nested structs.

Nested structs are taken apart, of a union the first member counts (or the last), members named pad* are left out, and what
is in WHOLE stays bytes.
"""

import re
from dataclasses import dataclass, field

from agent.sensor import btf

WHOLE = {"flow_key"}  # inside a record: its user compares it and sends it back
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SIGNED = 1 << 24  # BTF_INT_SIGNED << 24 in the word behind an integer
FIRST, LAST = 0, -1


@dataclass
class Shape:
    """One struct: its format, the names of its values, and where nested structs begin."""

    code: str = ""
    names: list[str] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)  # nested struct → index of its first value
    end: int = 0

    @property
    def format(self) -> str:
        """For struct.Struct. QQQ is written 3Q."""
        return "<" + re.sub(r"(?<!\d)([BHIQ])\1+", lambda run: f"{len(run[0])}{run[1]}", self.code)

    def add(self, code: str, names: list[str], offset: int, size: int) -> None:
        """Append values, with what the compiler left between."""
        self.code += f"{offset - self.end}x" if offset > self.end else ""
        self.code += code
        self.names += names
        self.end = offset + size


def shape_of(types: btf.Btf, name: str, which: int = FIRST) -> Shape:
    """The named struct's. `which` member of its unions to take. KeyError where there is no such struct."""
    found = types.resolve(types.find(btf.STRUCT, name))
    shape = Shape()
    _flatten(types, found, shape, 0, "", which)
    if found.size > shape.end:
        shape.code += f"{found.size - shape.end}x"
    return shape


def _flatten(types: btf.Btf, outer: btf.Type, shape: Shape, base: int, prefix: str, which: int) -> None:
    members = types.members(outer)
    for member in members if outer.kind == btf.STRUCT else [members[which]]:
        if not member.name.startswith("pad"):
            _member(types, member, shape, base + member.offset, prefix, which)


def _member(types: btf.Btf, member: btf.Member, shape: Shape, offset: int, prefix: str, which: int) -> None:
    found, name = types.resolve(member.type), prefix + member.name
    size = types.bytes_of(found)
    if found.kind == btf.ARRAY:
        _array(types, found, shape, offset, name)
    elif found.kind in (btf.STRUCT, btf.UNION) and found.name not in WHOLE:
        if member.name:
            shape.starts[name] = len(shape.names)
        inside = name + "_" if member.name and found.name != "event" else prefix
        _flatten(types, found, shape, offset, inside, which)
        if found.name == "event":
            shape.starts["end of event"] = len(shape.names)
    else:
        shape.add(f"{size}s" if found.name in WHOLE else _code(found, size), [name], offset, size)


def _array(types: btf.Btf, found: btf.Type, shape: Shape, offset: int, name: str) -> None:
    element, length = types.element(found)
    size = types.bytes_of(element)
    if size == 1:
        shape.add(f"{length}s", [name], offset, length)
    else:
        shape.add(f"{length}{_code(element, size)}", [f"{name}_{i}" for i in range(length)], offset, size * length)


def _code(found: btf.Type, size: int) -> str:
    signed = found.kind == btf.INT and int.from_bytes(found.extra, "little") & _SIGNED
    return _CODES[size].lower() if signed else _CODES[size]
