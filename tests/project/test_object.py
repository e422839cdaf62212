import re
import subprocess
from pathlib import Path

import pytest

import compile_bpf

EM_BPF = 247


@pytest.mark.parametrize("machine", list(compile_bpf.MACHINES))
def test_the_programs_compile_without_a_warning_for(machine: str, tmp_path: Path) -> None:
    elf = compile_bpf.compile_for(machine, folder=tmp_path).read_bytes()
    assert elf[:4] == b"\x7fELF"
    assert int.from_bytes(elf[18:20], "little") == EM_BPF
    assert b".BTF.ext\0" in elf
    assert b".debug_info\0" not in elf
    assert [path.name for path in tmp_path.iterdir()] == [f"sensor.{machine}.o"]


def test_the_two_objects_differ_only_in_code_not_in_the_border(tmp_path: Path) -> None:
    dumps = {btf_structs(compile_bpf.compile_for(machine, folder=tmp_path)) for machine in compile_bpf.MACHINES}
    assert len(dumps) == 1


def test_a_missing_tool_is_named_with_debian_s_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"clang, llvm-strip not found\nhint: apt-get install clang llvm"):
        compile_bpf.refuse_without_tools()


def test_an_unknown_machine_is_refused_with_those_that_we_know() -> None:
    with pytest.raises(SystemExit, match=r"sparc64\nhint: the machines are: x86_64, aarch64, all"):
        compile_bpf.asked_for(["sparc64"])


def btf_structs(path: Path) -> str:
    dump = subprocess.run(["bpftool", "btf", "dump", "file", path, "format", "c"], capture_output=True, text=True, check=True)
    return "\n".join(re.findall(r"^struct \w+_event \{.*?^\};", dump.stdout, re.MULTILINE | re.DOTALL))
