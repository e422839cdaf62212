"""The kernel's name hash, made again in Python: to say for which folders and files the kernel shall answer by itself.

It must agree with hash_names in bpf/path.bpf.h to the bit; a test asks both about the same files. The seed is random per boot and
never leaves the agent, so a workload can't choose names that collide.
"""

_MASK = (1 << 64) - 1
_FACTOR = 0x9E3779B97F4A7C15


def _mix(value: int, word: int) -> int:
    value = ((value ^ word) * _FACTOR) & _MASK
    return value ^ (value >> 29)


def _fold(value: int, name: bytes) -> int:
    whole = len(name) & ~7
    for at in range(0, whole, 8):
        value = _mix(value, int.from_bytes(name[at : at + 8], "little"))
    return _mix(value, int.from_bytes(name[whole:], "little") | (len(name) & 0xFF) << 56)


def hash_names(seed: int, path: bytes) -> int:
    """The hash of a path inside its filesystem, from its last name up to the filesystem's root. "/" is the root itself."""
    value = seed
    for name in reversed(path.split(b"/")):
        if name:
            value = _fold(value, name)
    return value
