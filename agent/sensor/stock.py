"""What an iterator program writes: records as on the rings, each behind its length as u32 (bpf/standing.bpf.c)."""

import os
from collections.abc import Iterator
from struct import Struct

_LENGTH = Struct("=I")
_CHUNK = 4096  # the kernel goes on until it has so much: a few processes, then the rings can be emptied


def batches(descriptor: int) -> Iterator[list[bytes]]:
    """The records of one walk, as they come; also empty batches, so that the caller gets its turn."""
    held = b""
    while more := os.read(descriptor, _CHUNK):
        records, held = _cut(held + more)
        yield records


def _cut(raw: bytes) -> tuple[list[bytes], bytes]:
    """The whole records, and what is left."""
    records, at = [], 0
    while len(raw) - at >= _LENGTH.size:
        end = at + _LENGTH.size + _LENGTH.unpack_from(raw, at)[0]
        if end > len(raw):
            break
        records.append(raw[at + _LENGTH.size : end])
        at = end
    return records, raw[at:]
