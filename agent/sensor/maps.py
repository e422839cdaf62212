"""BPF maps as Python sees them: bytes to bytes. Missing keys are None, what the kernel refuses is OSError."""

import ctypes as c
import errno
from collections.abc import Iterator

from agent.sensor.libbpf import BatchOptions, Libbpf

_BATCH = 4096
_NEW = 1  # BPF_NOEXIST
_TOKEN_BYTES = 64  # of a batch walk: at least a key


class Map:
    """One map with keys and values of fixed size. A per-CPU map's value is that of all CPUs, one behind the other."""

    def __init__(self, library: Libbpf, pointer: int, cpus: int = 1) -> None:
        self.descriptor: int = library.bpf_map__fd(pointer)
        self.key_bytes: int = library.bpf_map__key_size(pointer)
        self.value_bytes: int = library.bpf_map__value_size(pointer) * cpus
        self.max_entries: int = library.bpf_map__max_entries(pointer)
        self._library = library

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        value = c.create_string_buffer(self.value_bytes)
        try:
            self._library.bpf_map_lookup_elem(self.descriptor, self._checked(key, self.key_bytes), value)
        except FileNotFoundError:
            return None
        return value.raw

    def put(self, key: bytes, value: bytes, *, new: bool = False) -> None:
        """Write the value; with `new` only where there is none (else FileExistsError). OSError E2BIG: the map is full."""
        self._checked(value, self.value_bytes)
        self._library.bpf_map_update_elem(self.descriptor, self._checked(key, self.key_bytes), value, _NEW if new else 0)

    def delete(self, key: bytes) -> bool:
        """Remove the entry. False where there was none."""
        try:
            self._library.bpf_map_delete_elem(self.descriptor, self._checked(key, self.key_bytes))
        except FileNotFoundError:
            return False
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries, some thousand a system call. What is added or removed meanwhile may be missed."""
        keys, values = c.create_string_buffer(self.key_bytes * _BATCH), c.create_string_buffer(self.value_bytes * _BATCH)
        token: c.Array[c.c_char] | None = None
        more = True
        while more:
            following = c.create_string_buffer(max(_TOKEN_BYTES, self.key_bytes))
            count, more = self._batch(token, following, keys, values)
            token = following
            yield from zip(_cut(keys.raw, self.key_bytes, count), _cut(values.raw, self.value_bytes, count), strict=True)

    def _batch(
        self, token: "c.Array[c.c_char] | None", following: "c.Array[c.c_char]", keys: object, values: object
    ) -> tuple[int, bool]:
        """One step of a walk: how many entries it gave, and whether there are more. ENOENT marks the end."""
        count = c.c_uint32(_BATCH)
        options = BatchOptions(c.sizeof(BatchOptions), 0, 0)
        walk = self._library.bpf_map_lookup_batch
        try:
            walk(self.descriptor, token, following, keys, values, c.byref(count), c.byref(options))
        except OSError as problem:
            if problem.errno != errno.ENOENT:
                raise
            return count.value, False
        return count.value, True

    def _checked(self, raw: bytes, size: int) -> bytes:
        if len(raw) != size:  # the kernel would read beyond it
            raise ValueError(f"{len(raw)} bytes where the map has {size}")
        return raw


def _cut(raw: bytes, size: int, count: int) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, size * count, size))
