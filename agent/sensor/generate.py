"""Writes layout.py from the border: `python -m agent.sensor.generate`. Needs clang; `--check` only says whether it is stale."""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.sensor import btf
from agent.sensor.libbpf import Libbpf
from agent.sensor.shape import FIRST, LAST, shape_of

HERE = Path(__file__).parent
TARGET = HERE / "layout.py"
_TYPEDEFS = "".join(
    f"typedef {'un' if sign == 'u' else ''}signed {name} {sign}{bits};\n"
    for bits, name in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
    for sign in "us"
)


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
    text = _view(types, name, name.upper(), FIRST)
    if name == "flow_key":
        text += _view(types, name, "FLOW_KEY_PEER", LAST)
    return text


def _view(types: btf.Btf, name: str, constant: str, which: int) -> str:
    """One struct as Python."""
    shape = shape_of(types, name, which)
    head = "" if name == "event" or "event" not in shape.starts else "*EVENT_FIELDS, "
    skipped = shape.starts.get("end of event", 0) if head else 0
    nested = {inner: at for inner, at in shape.starts.items() if " " not in inner and at >= skipped}
    starts = "".join(f"{constant}_{inner.upper()} = {at}\n" for inner, at in nested.items())
    fields = f"({head}{_names(shape.names[skipped:])})"
    return f'{constant} = Struct("{shape.format}")\n{constant}_FIELDS = {fields}\n{starts}'


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
