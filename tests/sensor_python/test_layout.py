"""layout.py says what bpf/sensor.h says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.sensor import generate, layout
from agent.sensor.generate import HERE, border


def test_the_layout_is_that_of_the_header() -> None:
    assert generate.TARGET.read_text() == border(), "stale: run `python -m agent.sensor.generate`"


def test_the_check_tells_a_stale_layout_by_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.sensor.generate", "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_a_changed_struct_changes_the_hash(tmp_path: Path) -> None:
    header = tmp_path / "sensor.h"
    header.write_text((HERE / "bpf/sensor.h").read_text().replace("u32 uid;", "u64 uid;"))
    assert f'"{layout.HASH}"' not in border(header)


def test_a_header_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    header = tmp_path / "sensor.h"
    header.write_text("struct broken {\n unknown x; };")
    with pytest.raises(subprocess.CalledProcessError):
        border(header)


@pytest.mark.parametrize("name", [name for name in vars(layout) if name.endswith("_FIELDS")])
def test_every_value_has_its_name(name: str) -> None:
    struct = getattr(layout, name.removesuffix("_FIELDS"))
    assert len(struct.unpack(bytes(struct.size))) == len(getattr(layout, name))


def test_the_layout_agrees_with_an_object_made_for_the_other_machine(tmp_path: Path) -> None:
    source = f'{generate._TYPEDEFS}#include "{HERE}/bpf/sensor.h"\nunsigned long long size = sizeof(struct exec_event);'
    assembler = subprocess.run(
        ["clang", "--target=aarch64-linux-gnu", "-x", "c", "-", "-S", "-o", "-"],
        input=source, text=True, capture_output=True, check=True, env={**os.environ, "LC_ALL": "C"},
    ).stdout  # fmt: skip
    assert f".xword\t{layout.EXEC_EVENT.size}" in assembler
