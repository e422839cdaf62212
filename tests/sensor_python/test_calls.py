"""System call numbers are those of the C library's headers."""

import re
import subprocess

import pytest

from agent.sensor import calls

HEADERS = {
    ("call", "x86_64"): ["-include", "asm/unistd_64.h"],
    ("compat", "x86_64"): ["-include", "asm/unistd_32.h"],
    ("call", "aarch64"): ["--target=aarch64-linux-gnu", "-D__ARCH_WANT_RENAMEAT", "-include", "asm-generic/unistd.h"],
}
ALIASES = {"mmap": "3264_mmap", "truncate": "3264_truncate", "ftruncate": "3264_ftruncate"}


def numbers_of(flags: list[str]) -> dict[str, int]:
    command = ["clang", "-E", "-dM", "-x", "c", "-I/usr/include/x86_64-linux-gnu", *flags, "/dev/null"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_?(\w+) (\d+)", text)}


@pytest.mark.parametrize("which", HEADERS, ids=" ".join)
def test_every_number_is_the_headers(which: tuple[str, str]) -> None:
    table, machine = which
    known = numbers_of(HEADERS[which])
    newer = {"fchmodat2", "setxattrat", "removexattrat", "mount_setattr"} - known.keys()  # than the headers of this machine
    for name, number in calls.TABLES[table][1][machine].items():
        if name not in newer:
            assert known.get(name, known.get(ALIASES.get(name, ""))) == number, name


def test_new_calls_have_one_number_everywhere() -> None:
    tables = [table for group in (calls.CALLS, calls.COMPAT_CALLS) for table in group.values()]
    assert {table["openat2"] for table in tables} == {437}


def test_a_program_gets_all_calls_of_its_family() -> None:
    assert calls.slots("call_open", "x86_64") == [("call", number) for number in (2, 85, 257, 437, 304)]
    assert calls.slots("compat_open", "x86_64") == [("compat", number) for number in (5, 8, 295, 437, 342)]
    assert calls.slots("call_open", "aarch64") == [("call", number) for number in (56, 437, 265)]


def test_one_program_may_serve_both_kinds_of_call() -> None:
    assert calls.slots("both_connect", "x86_64") == [("call", 42), ("compat", 362)]


@pytest.mark.parametrize("machine", calls.CALLS)
def test_openats_number_is_no_32_bit_call_that_we_want(machine: str) -> None:
    """The dispatcher goes to its program before it asks which kind of call this is (bpf/call.bpf.c)."""
    wanted = {number for family in calls.FAMILIES for table, number in calls.slots(f"compat_{family}", machine)}
    assert calls.CALLS[machine]["openat"] not in wanted


def test_only_targets_are_tail_called() -> None:
    assert calls.is_target("call_open")
    assert calls.is_target("both_mmap")
    assert calls.is_target("compat_socketcall")
    assert not calls.is_target("on_exec")
    assert not calls.is_target("callback")
