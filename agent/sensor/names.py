"""The kernel's name hash, made again in Python: to say for which folders and files the kernel shall answer by itself.

It must agree with hash_names in bpf/path.bpf.h to the bit; a test asks both about the same files. The seed is random per boot and
never leaves the agent, so a workload can't choose names that collide.
"""

from collections.abc import Iterator

_MASK = (1 << 64) - 1
_FACTOR = 0x9E3779B97F4A7C15


def _words(name: bytes) -> Iterator[int]:
    whole = len(name) & ~7
    for at in range(0, whole, 8):
        yield int.from_bytes(name[at : at + 8], "little")
    yield int.from_bytes(name[whole:], "little") | (len(name) & 0xFF) << 56


def hash_names(seed: int, path: bytes) -> int:
    """The hash of a path inside its filesystem, from its last name up to the filesystem's root. "/" is the root itself."""
    value, secret = seed, seed | 1
    for name in reversed(path.split(b"/")):
        for word in _words(name) if name else ():
            value = ((value ^ word) * _FACTOR) & _MASK
            value = ((value ^ value >> 32) * secret) & _MASK
    return value
