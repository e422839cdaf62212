"""The programs load and attach on this kernel; what is missing is said with its cost."""

from pathlib import Path
from struct import Struct

import pytest

from agent.sensor import features, layout
from agent.sensor.allowances import DEFAULTS, packed
from agent.sensor.cgroups import find
from agent.sensor.features import Features, SensorError, object_path, symbol
from agent.sensor.hooks import State, cost_of
from agent.sensor.libbpf import Libbpf
from agent.sensor.loader import Sensor
from agent.sensor.object import Object
from agent.sensor.prepare import Plan, Settings, _constants
from agent.sensor.sizes import planned
from agent.sensor.variables import CODE_VARIABLES, NAME_BYTES
from tests.sensor_python.conftest import ROOT, compiled


def test_every_hook_of_this_kernel_is_attached(sensor: Sensor) -> None:
    assert sensor.missing() == []
    assert {hook.place for hook in sensor.hooks} >= {"tp_btf/sched_process_exec", "tp_btf/sys_exit", "tp_btf/task_newtask"}


def test_every_program_says_what_is_unseen_without_it(sensor: Sensor) -> None:
    programs = [it for it in sensor._object.programs.values() if it.place != "syscall"]
    assert [it for it in programs if not cost_of(it.name, it.place)] == []


def test_the_call_tables_are_filled(sensor: Sensor) -> None:
    table = sensor.map("by_call")
    for number in (2, 257, 437, 9, 10):
        assert table.get(number.to_bytes(4, "little")) is not None
    assert table.get((39).to_bytes(4, "little")) is None


def test_the_policy_generation_reaches_the_running_programs(sensor: Sensor) -> None:
    name = sensor._object._named(".bss")
    offset, _ = sensor._object._sections[".bss"]["generation"]
    for generation in (7, 0):
        sensor.set_generation(generation)
        value = sensor.map(name).get(bytes(4)) or b""
        assert int.from_bytes(value[offset : offset + 4], "little") == sensor._object.variable("generation") == generation


def test_rings_have_the_planned_size(sensor: Sensor) -> None:
    assert sensor.map("urgent").max_entries == sensor.sizes.rings["urgent"]


def test_a_refused_program_is_left_out_and_named_with_the_verifiers_words(tmp_path: Path) -> None:
    source = tmp_path / "wild.c"
    bpf = ROOT / "agent/sensor/bpf/sensor.bpf.c"
    program = 'SEC("tp_btf/sched_switch") int wild(u64 *ctx)\n{\n\treturn *(volatile u64 *)ctx[9];\n}\n'
    source.write_text(f'#include "{bpf}"\n{program}')
    sensor = Sensor.open(compiled(tmp_path, source), Settings(without=frozenset({"on_io_uring"})))
    try:
        missing = {hook.program: hook for hook in sensor.missing()}
    finally:
        sensor.close()
    assert (missing["wild"].state, "invalid" in missing["wild"].why) == (State.FAILED, True)
    assert (missing["on_io_uring"].state, missing["on_io_uring"].why) == (State.MISSING, "left out by the settings")
    assert missing["on_io_uring"].costs == "files opened, AF_UNIX connections and sockets made by io_uring are not seen"
    assert set(missing) == {"wild", "on_io_uring"}


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.o").write_text("not ELF")
    with pytest.raises(SensorError, match=r"x\.o: "):
        Sensor.open(tmp_path / "x.o")


def test_an_object_of_another_border_is_refused(sensor_object: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FLOW", Struct("<6QI5x"))
    with pytest.raises(SensorError, match=r"another struct flow than this agent reads\nhint: `make object`"):
        Sensor.open(sensor_object)


def test_every_constant_is_one_of_the_programs(sensor_object: Path) -> None:
    opened = Object(Libbpf(), sensor_object)
    plan = Plan(sensor_object, Settings(), find(), planned(32 << 20), seed=1)
    assert [name for name in _constants(plan, opened.programs) if not opened.has_constant(name)] == []
    opened.close()


def test_a_missing_object_says_how_to_compile_it(tmp_path: Path) -> None:
    with pytest.raises(SensorError, match="hint: `make object` compiles it"):
        object_path(tmp_path)


def test_features_are_asked_of_the_kernels_own_types() -> None:
    asked = Features(Libbpf())
    assert asked.has_tracepoint("sched_process_exec")
    assert not asked.has_tracepoint("sched_process_dance")
    assert asked.has_function("bpf_rdonly_cast")
    asked.require()
    asked.close()


def test_a_kernel_without_a_needed_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_NEEDED", {"bpf_dance": "Linux 9.9"})
    asked = Features(Libbpf())
    with pytest.raises(SensorError, match=r"this kernel has no bpf_dance\nhint: Linux 9\.9"):
        asked.require()
    asked.close()


def test_a_hidden_symbol_is_zero(tmp_path: Path) -> None:
    (tmp_path / "kallsyms").write_text("0000000000000000 t ____fput\nffffffff81000000 T other\n")
    assert symbol("____fput", tmp_path / "kallsyms") == 0
    assert symbol("other", tmp_path / "kallsyms") == 0xFFFFFFFF81000000
    assert symbol("absent", tmp_path / "kallsyms") == 0


def test_sizes_stay_in_the_budget_and_rings_are_powers_of_two() -> None:
    for budget in (4 << 20, 32 << 20, 100_000_000, 1 << 30):
        sizes = planned(budget)
        assert 0.5 * budget < sizes.memory_bytes() <= budget
        assert all(size & (size - 1) == 0 for size in sizes.rings.values())


def test_a_budget_that_is_too_small_says_the_least() -> None:
    with pytest.raises(ValueError, match="give at least 4 MiB"):
        planned(1 << 20)


def test_code_variables_fit_the_kernels_key_and_its_64_bits() -> None:
    assert len(set(CODE_VARIABLES)) == len(CODE_VARIABLES) <= 64
    assert max(map(len, CODE_VARIABLES)) < NAME_BYTES


def test_allowances_are_one_row_a_kind() -> None:
    assert len(packed(DEFAULTS)) == layout.KINDS * 24
