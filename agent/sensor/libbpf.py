"""libbpf.so.1 by ctypes: the functions that we use, typed once, with errors as OSError.

Thin on purpose: one method here is one function there. What libbpf and the verifier say is kept (`log_tail`), so that a
failed load can show it. The library's print function is global to the process; have one `Libbpf` at a time.
"""

import ctypes as c
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

_P, _TEXT, _INT, _U32, _U64 = c.c_void_p, c.c_char_p, c.c_int, c.c_uint32, c.c_uint64
_PRINT = c.CFUNCTYPE(c.c_int, c.c_int, c.c_void_p, c.c_void_p)
_LOG_LINES, _LOG_BYTES = 200, 1 << 20
_DEBUG = 2


class RunOptions(c.Structure):
    """struct bpf_test_run_opts."""

    _fields_ = [
        ("sz", c.c_size_t), ("data_in", _P), ("data_out", _P), ("data_size_in", _U32), ("data_size_out", _U32),
        ("ctx_in", _P), ("ctx_out", _P), ("ctx_size_in", _U32), ("ctx_size_out", _U32), ("retval", _U32),
        ("repeat", _INT), ("duration", _U32), ("flags", _U32), ("cpu", _U32), ("batch_size", _U32),
    ]  # fmt: skip


class BatchOptions(c.Structure):
    """struct bpf_map_batch_opts."""

    _fields_ = [("sz", c.c_size_t), ("elem_flags", _U64), ("flags", _U64)]


# What a function gives back: an object (NULL is an error), a status or descriptor (below zero is an error), or a plain value.
_OBJECT, _STATUS, _MAYBE, _PLAIN, _NAME, _NOTHING = "object", "status", "maybe", "plain", "name", "nothing"
_RESULTS: dict[str, Any] = {_OBJECT: _P, _MAYBE: _P, _STATUS: _INT, _PLAIN: _INT, _NAME: _TEXT, _NOTHING: None}
_FUNCTIONS: dict[str, tuple[str, list[Any]]] = {
    "bpf_object__open": (_OBJECT, [_TEXT]),
    "bpf_object__load": (_STATUS, [_P]),
    "bpf_object__find_map_by_name": (_MAYBE, [_P, _TEXT]),
    "bpf_object__close": (_NOTHING, [_P]),
    "bpf_object__btf": (_OBJECT, [_P]),
    "bpf_object__next_program": (_MAYBE, [_P, _P]),
    "bpf_object__next_map": (_MAYBE, [_P, _P]),
    "bpf_program__name": (_NAME, [_P]),
    "bpf_program__section_name": (_NAME, [_P]),
    "bpf_program__set_autoload": (_STATUS, [_P, c.c_bool]),
    "bpf_program__fd": (_STATUS, [_P]),
    "bpf_program__attach": (_OBJECT, [_P]),
    "bpf_program__attach_cgroup": (_OBJECT, [_P, _INT]),
    "bpf_program__attach_iter": (_OBJECT, [_P, _P]),
    "bpf_link__destroy": (_STATUS, [_P]),
    "bpf_link__fd": (_STATUS, [_P]),
    "bpf_iter_create": (_STATUS, [_INT]),
    "bpf_map__name": (_NAME, [_P]),
    "bpf_map__fd": (_STATUS, [_P]),
    "bpf_map__key_size": (_PLAIN, [_P]),
    "bpf_map__value_size": (_PLAIN, [_P]),
    "bpf_map__max_entries": (_PLAIN, [_P]),
    "bpf_map__set_max_entries": (_STATUS, [_P, _U32]),
    "bpf_map__initial_value": (_OBJECT, [_P, c.POINTER(c.c_size_t)]),
    "bpf_map_create": (_STATUS, [_INT, _TEXT, _U32, _U32, _U32, _P]),
    "bpf_map_update_elem": (_STATUS, [_INT, _P, _P, _U64]),
    "bpf_map_lookup_elem": (_STATUS, [_INT, _P, _P]),
    "bpf_map_delete_elem": (_STATUS, [_INT, _P]),
    "bpf_map_lookup_batch": (_STATUS, [_INT, _P, _P, _P, _P, c.POINTER(_U32), c.POINTER(BatchOptions)]),
    "bpf_prog_test_run_opts": (_STATUS, [_INT, c.POINTER(RunOptions)]),
    "btf__load_vmlinux_btf": (_OBJECT, []),
    "btf__parse": (_OBJECT, [_TEXT, _P]),
    "btf__find_by_name_kind": (_PLAIN, [_P, _TEXT, _U32]),
    "btf__raw_data": (_OBJECT, [_P, c.POINTER(_U32)]),
    "btf__free": (_NOTHING, [_P]),
    "libbpf_num_possible_cpus": (_STATUS, []),
}  # fmt: skip


class Libbpf:
    """The library's functions, as attributes named as in C. Raises OSError with advice where the library is missing."""

    def __init__(self, name: str = "libbpf.so.1") -> None:
        try:
            library = c.CDLL(name, use_errno=True)
        except OSError as problem:
            message = f"{name}: {problem}\nhint: install libbpf 1.0 or newer: `apt install libbpf1` (Debian 12, Ubuntu 24.04)"
            raise OSError(message) from problem
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._print = _PRINT(self._keep)
        self._format = c.CDLL(None).vsnprintf
        self._format.argtypes = [c.c_char_p, c.c_size_t, c.c_void_p, c.c_void_p]
        library.libbpf_set_print.argtypes = [_PRINT]
        library.libbpf_set_print.restype = c.c_void_p
        library.libbpf_set_print(self._print)
        self._functions = {name: _typed(library, name) for name in _FUNCTIONS}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(name) from None

    def _keep(self, level: int, text: int, values: int) -> int:
        """The library's print function. A va_list of more than 16 bytes is passed by address on x86-64 and arm64 alike."""
        if level >= _DEBUG:
            return 0
        buffer = c.create_string_buffer(_LOG_BYTES)
        length: int = self._format(buffer, _LOG_BYTES, text, values)
        self._log.extend(buffer.value.decode("utf-8", "backslashreplace").splitlines())
        return length

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that libbpf and the verifier wrote."""
        return "\n".join(list(self._log)[-lines:])

    def programs(self, loaded: int) -> Iterator[int]:
        """The programs of an object, in its order."""
        yield from _walk(self._functions["bpf_object__next_program"], loaded)

    def maps(self, loaded: int) -> Iterator[int]:
        """The maps of an object, in its order."""
        yield from _walk(self._functions["bpf_object__next_map"], loaded)

    def btf_bytes(self, btf: int) -> bytes:
        """The BTF of an object or file, as bytes."""
        size = c.c_uint32()
        return c.string_at(self._functions["btf__raw_data"](btf, c.byref(size)), size.value)

    def run(self, program: int, context: bytes) -> tuple[int, bytes]:
        """Run a SEC("syscall") program once: its return value, and the context as it left it.

        The kernel copies the context back to where it came from; a ctx_out is refused (kernel: bpf_prog_test_run_syscall).
        """
        held = c.create_string_buffer(context, len(context))
        options = RunOptions(sz=c.sizeof(RunOptions), ctx_in=c.cast(held, c.c_void_p), ctx_size_in=len(context))
        self._functions["bpf_prog_test_run_opts"](program, c.byref(options))
        return c.c_int32(options.retval).value, held.raw


def _walk(following: Callable[[int, int | None], int | None], loaded: int) -> Iterator[int]:
    at = following(loaded, None)
    while at:
        yield at
        at = following(loaded, at)


def _typed(library: c.CDLL, name: str) -> Callable[..., Any]:
    result, arguments = _FUNCTIONS[name]
    try:
        function = library[name]
    except AttributeError:
        raise OSError(f"libbpf has no {name}: version 1.0 or newer is needed (package libbpf1)") from None
    function.argtypes, function.restype = arguments, _RESULTS[result]
    if result in _CHECKS:
        function.errcheck = _CHECKS[result]
    return function


def _status(result: int, function: Any, _arguments: object) -> int:  # noqa: ANN401 (ctypes types no functions)
    if result < 0:
        raise OSError(-result, os.strerror(-result), function.__name__)
    return result


def _object(result: int | None, function: Any, _arguments: object) -> int:  # noqa: ANN401 (as above)
    if not result:
        code = c.get_errno()
        raise OSError(code, os.strerror(code), function.__name__)
    return result


_CHECKS: dict[str, Any] = {_STATUS: _status, _OBJECT: _object}
