"""Writes layout.py from the border: `python -m agent.sensor.generate`. Needs clang; `--check` only says whether it is stale."""

import hashlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agent.sensor import btf
from agent.sensor.libbpf import Libbpf

HERE = Path(__file__).parent
TARGET = HERE / "layout.py"
_TYPEDEFS = "".join(
    f"typedef {'un' if sign == 'u' else ''}signed {name} {sign}{bits};\n"
    for bits, name in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
    for sign in "us"
)
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_WHOLE = {"flow_key"}  # inside a record these stay bytes: their user compares them and sends them back
_SIGNED = 1 << 24  # BTF_INT_SIGNED << 24 in the word behind an integer


@dataclass
class Layout:
    """One struct: its format, the names of its values, and where nested structs begin."""

    format: str = ""
    names: list[str] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)  # nested struct → index of its first value
    end: int = 0

    def add(self, code: str, names: list[str], offset: int, size: int) -> None:
        """Append values, with what the compiler left between."""
        self.format += f"{offset - self.end}x" if offset > self.end else ""
        self.format += code
        self.names += names
        self.end = offset + size


def border(header: Path = HERE / "bpf" / "sensor.h") -> str:
    """The text of layout.py for this header. Raises CalledProcessError where clang refuses it."""
    text = header.read_text()
    structs = re.findall(r"^struct (\w+) \{", text, re.MULTILINE)
    enums = re.findall(r"^enum (\w+) \{", text, re.MULTILINE)
    return _module(_compiled(header, structs, enums), structs, enums)


def _compiled(header: Path, structs: list[str], enums: list[str]) -> btf.Btf:
    lines = [f"struct {name} a_{name};" for name in structs] + [f"enum {name} an_{name};" for name in enums]
    source = f'{_TYPEDEFS}#include "{header}"\n' + "\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "border.o")
        command = ["clang", "-target", "bpf", "-g", "-O2", "-x", "c", "-", "-c", "-o", str(path)]
        subprocess.run(command, input=source.encode(), check=True)
        return read(path)


def read(path: Path) -> btf.Btf:
    """The BTF of an object file."""
    library = Libbpf()
    parsed = library.btf__parse(str(path).encode(), None)
    try:
        return btf.Btf(library.btf_bytes(parsed))
    finally:
        library.btf__free(parsed)


def _module(types: btf.Btf, structs: list[str], enums: list[str]) -> str:
    body = [_struct(types, name) for name in structs] + [_enum(types, name) for name in enums]
    text = "\n".join(body)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return (
        '"""The border\'s structs. Generated from bpf/sensor.h by `python -m agent.sensor.generate`: do not edit."""\n\n'
        "# ruff: noqa: E501\n"
        "# fmt: off\n"
        "from struct import Struct\n\n"
        f'HASH = "{digest}"  # of everything below: recordings and pinned maps carry it\n\n{text}'
    )


def _struct(types: btf.Btf, name: str) -> str:
    text = _view(types, name, name.upper(), 0)
    if name == "flow_key":
        text += _view(types, name, "FLOW_KEY_PEER", -1)
    return text


def _view(types: btf.Btf, name: str, constant: str, which: int) -> str:
    """One struct as Python. `which` member of its unions to take: the first or the last."""
    found = types.resolve(types.find(btf.STRUCT, name))
    layout = Layout()
    _flatten(types, found, layout, 0, "", which)
    if found.size > layout.end:
        layout.format += f"{found.size - layout.end}x"
    head = "" if name == "event" or "event" not in layout.starts else "*EVENT_FIELDS, "
    skipped = layout.starts.get("end of event", 0) if head else 0
    nested = {inner: at for inner, at in layout.starts.items() if " " not in inner and at >= skipped}
    starts = "".join(f"{constant}_{inner.upper()} = {at}\n" for inner, at in nested.items())
    fields = f"({head}{_names(layout.names[skipped:])})"
    return f'{constant} = Struct("<{_short(layout.format)}")\n{constant}_FIELDS = {fields}\n{starts}'


def _flatten(types: btf.Btf, outer: btf.Type, layout: Layout, base: int, prefix: str, which: int) -> None:
    members = types.members(outer)
    for member in members if outer.kind == btf.STRUCT else [members[which]]:
        if not member.name.startswith("pad"):
            _member(types, member, layout, base + member.offset, prefix, which)


def _member(types: btf.Btf, member: btf.Member, layout: Layout, offset: int, prefix: str, which: int) -> None:
    found, name = types.resolve(member.type), prefix + member.name
    size = types.bytes_of(found)
    if found.kind == btf.ARRAY:
        _array(types, found, layout, offset, name)
    elif found.kind in (btf.STRUCT, btf.UNION) and found.name not in _WHOLE:
        if member.name:
            layout.starts[name] = len(layout.names)
        inside = name + "_" if member.name and found.name != "event" else prefix
        _flatten(types, found, layout, offset, inside, which)
        if found.name == "event":
            layout.starts["end of event"] = len(layout.names)
    else:
        layout.add(f"{size}s" if found.name in _WHOLE else _code(found, size), [name], offset, size)


def _array(types: btf.Btf, found: btf.Type, layout: Layout, offset: int, name: str) -> None:
    element, length = types.element(found)
    size = types.bytes_of(element)
    if size == 1:
        layout.add(f"{length}s", [name], offset, length)
    else:
        layout.add(f"{length}{_code(element, size)}", [f"{name}_{i}" for i in range(length)], offset, size * length)


def _code(found: btf.Type, size: int) -> str:
    signed = found.kind == btf.INT and int.from_bytes(found.extra, "little") & _SIGNED
    return _CODES[size].lower() if signed else _CODES[size]


def _short(text: str) -> str:
    """QQQ → 3Q: the same format, easier to read."""
    return re.sub(r"(?<!\d)([BHIQ])\1+", lambda run: f"{len(run[0])}{run[1]}", text)


def _names(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _enum(types: btf.Btf, name: str) -> str:
    return "".join(f"{constant} = {value}\n" for constant, value in types.values(name).items())


def main() -> int:
    """Write the file, or check it: 1 where it is stale."""
    text = border()
    if "--check" in sys.argv:
        return int(TARGET.read_text() != text)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
