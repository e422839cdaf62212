"""Programs of the host with all the libraries that they need, as a layer of an image."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NEEDED = re.compile(r"(/\S+) \(0x")
LEFT_OUT = ("test", "tests", "idlelib", "ensurepip", "site-packages", "__pycache__", "lib2to3", "config-*", "turtledemo")


def with_libraries(layer: Path, *programs: str) -> None:
    """Copy programs to where the host has them, and their libraries."""
    for program in programs:
        _copy(program, layer, program)
    for library in libraries_of(*programs):
        _copy(library, layer, library)


def libraries_of(*programs: str) -> list[str]:
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return sorted(set(NEEDED.findall(told)))


def python(layer: Path) -> None:
    """The Python that runs the tests, at /usr/local, with its standard library and SQLite."""
    program = str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve())
    _copy(program, layer, "/usr/local/bin/python3")
    standard = Path(sysconfig.get_path("stdlib"))
    copied = layer / "usr/local/lib" / standard.name
    shutil.copytree(standard, copied, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    for library in libraries_of(program, *(str(path) for path in standard.glob("lib-dynload/*.so"))):
        _copy(library, layer, library)


def _copy(source: str, layer: Path, target: str) -> None:
    to = layer / target.lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, to)
