"""System call numbers, and which program cares for which call.

The dispatcher (bpf/call.bpf.c) tail-calls by number. Programs named compat_* are for 32-bit calls on a 64-bit kernel, which
have numbers of their own. A test compares the tables with the C library's headers.
"""

from collections.abc import Mapping

# fmt: off
_NEW = {  # since 5.1 every machine has the same number
    "move_mount": 429, "openat2": 437, "mount_setattr": 442, "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466,
}
_X86_64 = {
    "open": 2, "mmap": 9, "mprotect": 10, "socket": 41, "connect": 42, "truncate": 76, "ftruncate": 77, "rename": 82,
    "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92,
    "fchown": 93, "lchown": 94, "mknod": 133, "pivot_root": 155, "mount": 165, "umount2": 166, "setxattr": 188,
    "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "openat": 257,
    "mkdirat": 258, "mknodat": 259, "fchownat": 260, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266,
    "fchmodat": 268, "unshare": 272, "open_by_handle_at": 304, "setns": 308, "renameat2": 316, "pkey_mprotect": 329, **_NEW,
}
_I386 = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "mknod": 14, "chmod": 15, "lchown": 16, "mount": 21, "umount": 22,
    "rename": 38, "mkdir": 39, "rmdir": 40, "umount2": 52, "symlink": 83, "mmap": 90, "truncate": 92, "ftruncate": 93,
    "fchmod": 94, "fchown": 95, "socketcall": 102, "mprotect": 125, "chown": 182, "mmap2": 192, "truncate64": 193,
    "ftruncate64": 194, "lchown32": 198, "fchown32": 207, "chown32": 212, "pivot_root": 217, "setxattr": 226,
    "lsetxattr": 227, "fsetxattr": 228, "removexattr": 235, "lremovexattr": 236, "fremovexattr": 237, "openat": 295,
    "mkdirat": 296, "mknodat": 297, "fchownat": 298, "unlinkat": 301, "renameat": 302, "linkat": 303, "symlinkat": 304,
    "fchmodat": 306, "unshare": 310, "open_by_handle_at": 342, "setns": 346, "renameat2": 353, "socket": 359, "connect": 362,
    "pkey_mprotect": 380, **_NEW,
}
_ARM64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "mknodat": 33,
    "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39, "mount": 40,
    "pivot_root": 41, "truncate": 45, "ftruncate": 46, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55,
    "openat": 56, "unshare": 97, "socket": 198, "connect": 203, "mmap": 222, "mprotect": 226, "open_by_handle_at": 265,
    "setns": 268, "renameat2": 276, "pkey_mprotect": 288, **_NEW,
}
_ARM = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "mknod": 14, "chmod": 15, "lchown": 16, "mount": 21, "rename": 38,
    "mkdir": 39, "rmdir": 40, "umount2": 52, "symlink": 83, "truncate": 92, "ftruncate": 93, "fchmod": 94, "fchown": 95,
    "mprotect": 125, "chown": 182, "mmap2": 192, "truncate64": 193, "ftruncate64": 194, "lchown32": 198, "fchown32": 207,
    "chown32": 212, "pivot_root": 218, "setxattr": 226, "lsetxattr": 227, "fsetxattr": 228, "removexattr": 235,
    "lremovexattr": 236, "fremovexattr": 237, "socket": 281, "connect": 283, "openat": 322, "mkdirat": 323, "mknodat": 324,
    "fchownat": 325, "unlinkat": 328, "renameat": 329, "linkat": 330, "symlinkat": 331, "fchmodat": 333, "unshare": 337,
    "open_by_handle_at": 371, "setns": 375, "renameat2": 382, "pkey_mprotect": 394, **_NEW,
}
_FAMILIES = {
    "open": ("open", "creat", "openat", "openat2", "open_by_handle_at"),
    "mmap": ("mmap", "mmap2"),
    "mprotect": ("mprotect", "pkey_mprotect"),
    "connect": ("connect",),
    "socket": ("socket",),
    "socketcall": ("socketcall",),
    "change": (
        "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat",
        "rmdir", "truncate", "ftruncate", "truncate64", "ftruncate64", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown",
        "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32", "mknod", "mknodat", "setxattr", "lsetxattr",
        "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr", "removexattrat",
    ),
    "mount": ("mount", "umount", "umount2", "move_mount", "mount_setattr", "pivot_root"),
    "setns": ("setns", "unshare"),
}
# fmt: on

CALLS: Mapping[str, Mapping[str, int]] = {"x86_64": _X86_64, "aarch64": _ARM64}
COMPAT_CALLS: Mapping[str, Mapping[str, int]] = {"x86_64": _I386, "aarch64": _ARM}
TABLES = {"call": ("by_call", CALLS), "compat": ("by_compat_call", COMPAT_CALLS)}


def is_target(program: str) -> bool:
    """Whether the program is tail-called by a system call's number and never attached itself."""
    return program.partition("_")[0] in TABLES and "_" in program


def numbers(program: str, machine: str) -> list[int]:
    """The calls that the program is for, on this machine. KeyError where no table knows program or machine."""
    table, _, family = program.partition("_")
    known = TABLES[table][1][machine]
    return [known[name] for name in _FAMILIES[family] if name in known]
