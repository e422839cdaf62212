"""System call numbers, and which program cares for which call.

The dispatcher (bpf/call.bpf.c) tail-calls by number. Programs named compat_* are for 32-bit calls on a 64-bit kernel, which
have numbers of their own; those named both_* serve either. A test compares the tables with the C library's headers.
"""

from collections.abc import Mapping

from agent.sensor import layout

# fmt: off
_NEW = {  # since 5.1 every machine has the same number
    "move_mount": 429, "fsmount": 432, "openat2": 437, "mount_setattr": 442, "fchmodat2": 452, "setxattrat": 463,
    "removexattrat": 466,
}
_X86_64 = {
    "open": 2, "mmap": 9, "mprotect": 10, "socket": 41, "connect": 42, "sendto": 44, "sendmsg": 46, "truncate": 76,
    "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88,
    "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "mknod": 133, "pivot_root": 155, "mount": 165,
    "umount2": 166, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
    "fremovexattr": 199, "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260, "unlinkat": 263, "renameat": 264,
    "linkat": 265, "symlinkat": 266, "fchmodat": 268, "unshare": 272, "open_by_handle_at": 304, "sendmmsg": 307,
    "setns": 308, "renameat2": 316, "pkey_mprotect": 329, **_NEW,
}
_I386 = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "mknod": 14, "chmod": 15, "lchown": 16, "mount": 21, "umount": 22,
    "rename": 38, "mkdir": 39, "rmdir": 40, "umount2": 52, "symlink": 83, "mmap": 90, "truncate": 92, "ftruncate": 93,
    "fchmod": 94, "fchown": 95, "socketcall": 102, "mprotect": 125, "chown": 182, "mmap2": 192, "truncate64": 193,
    "ftruncate64": 194, "lchown32": 198, "fchown32": 207, "chown32": 212, "pivot_root": 217, "setxattr": 226,
    "lsetxattr": 227, "fsetxattr": 228, "removexattr": 235, "lremovexattr": 236, "fremovexattr": 237, "openat": 295,
    "mkdirat": 296, "mknodat": 297, "fchownat": 298, "unlinkat": 301, "renameat": 302, "linkat": 303, "symlinkat": 304,
    "fchmodat": 306, "unshare": 310, "open_by_handle_at": 342, "sendmmsg": 345, "setns": 346, "renameat2": 353,
    "socket": 359, "connect": 362, "sendto": 369, "sendmsg": 370, "pkey_mprotect": 380, **_NEW,
}
_ARM64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "mknodat": 33,
    "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39, "mount": 40,
    "pivot_root": 41, "truncate": 45, "ftruncate": 46, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55,
    "openat": 56, "unshare": 97, "socket": 198, "connect": 203, "sendto": 206, "sendmsg": 211, "mmap": 222, "mprotect": 226,
    "open_by_handle_at": 265, "setns": 268, "sendmmsg": 269, "renameat2": 276, "pkey_mprotect": 288, **_NEW,
}
_ARM = {
    "open": 5, "creat": 8, "link": 9, "unlink": 10, "mknod": 14, "chmod": 15, "lchown": 16, "mount": 21, "rename": 38,
    "mkdir": 39, "rmdir": 40, "umount2": 52, "symlink": 83, "truncate": 92, "ftruncate": 93, "fchmod": 94, "fchown": 95,
    "mprotect": 125, "chown": 182, "mmap2": 192, "truncate64": 193, "ftruncate64": 194, "lchown32": 198, "fchown32": 207,
    "chown32": 212, "pivot_root": 218, "setxattr": 226, "lsetxattr": 227, "fsetxattr": 228, "removexattr": 235,
    "lremovexattr": 236, "fremovexattr": 237, "socket": 281, "connect": 283, "sendto": 290, "sendmsg": 296, "openat": 322,
    "mkdirat": 323, "mknodat": 324, "fchownat": 325, "unlinkat": 328, "renameat": 329, "linkat": 330, "symlinkat": 331,
    "fchmodat": 333, "unshare": 337, "open_by_handle_at": 371, "sendmmsg": 374, "setns": 375, "renameat2": 382,
    "pkey_mprotect": 394, **_NEW,
}
# What a call changes, and where its name is among its arguments (enum name_place of bpf/change.bpf.h).
_NAME_FIRST, _NAME_SECOND, _NAME_THIRD, _NO_NAME, _NAME_TARGET = range(5)
_CHANGES = {
    "rename": (layout.OPERATION_RENAME, _NAME_FIRST), "renameat": (layout.OPERATION_RENAME, _NAME_SECOND),
    "renameat2": (layout.OPERATION_RENAME, _NAME_SECOND), "link": (layout.OPERATION_LINK, _NAME_FIRST),
    "linkat": (layout.OPERATION_LINK, _NAME_SECOND), "symlink": (layout.OPERATION_SYMLINK, _NAME_SECOND),
    "symlinkat": (layout.OPERATION_SYMLINK, _NAME_THIRD), "unlink": (layout.OPERATION_UNLINK, _NAME_FIRST),
    "unlinkat": (layout.OPERATION_UNLINK, _NAME_SECOND), "mkdir": (layout.OPERATION_MKDIR, _NAME_FIRST),
    "mkdirat": (layout.OPERATION_MKDIR, _NAME_SECOND), "rmdir": (layout.OPERATION_RMDIR, _NAME_FIRST),
    "truncate": (layout.OPERATION_TRUNCATE, _NAME_FIRST), "truncate64": (layout.OPERATION_TRUNCATE, _NAME_FIRST),
    "ftruncate": (layout.OPERATION_TRUNCATE, _NO_NAME), "ftruncate64": (layout.OPERATION_TRUNCATE, _NO_NAME),
    "chmod": (layout.OPERATION_CHMOD, _NAME_FIRST), "fchmod": (layout.OPERATION_CHMOD, _NO_NAME),
    "fchmodat": (layout.OPERATION_CHMOD, _NAME_SECOND), "fchmodat2": (layout.OPERATION_CHMOD, _NAME_SECOND),
    "chown": (layout.OPERATION_CHOWN, _NAME_FIRST), "chown32": (layout.OPERATION_CHOWN, _NAME_FIRST),
    "lchown": (layout.OPERATION_CHOWN, _NAME_FIRST), "lchown32": (layout.OPERATION_CHOWN, _NAME_FIRST),
    "fchown": (layout.OPERATION_CHOWN, _NO_NAME), "fchown32": (layout.OPERATION_CHOWN, _NO_NAME),
    "fchownat": (layout.OPERATION_CHOWN, _NAME_SECOND), "mknod": (layout.OPERATION_MKNOD, _NAME_FIRST),
    "mknodat": (layout.OPERATION_MKNOD, _NAME_SECOND), "setxattr": (layout.OPERATION_XATTR, _NAME_FIRST),
    "lsetxattr": (layout.OPERATION_XATTR, _NAME_FIRST), "fsetxattr": (layout.OPERATION_XATTR, _NO_NAME),
    "setxattrat": (layout.OPERATION_XATTR, _NAME_SECOND), "removexattr": (layout.OPERATION_XATTR, _NAME_FIRST),
    "lremovexattr": (layout.OPERATION_XATTR, _NAME_FIRST), "fremovexattr": (layout.OPERATION_XATTR, _NO_NAME),
    "removexattrat": (layout.OPERATION_XATTR, _NAME_SECOND), "mount": (layout.OPERATION_MOUNT, _NAME_TARGET),
    "move_mount": (layout.OPERATION_MOUNT, _NAME_SECOND), "mount_setattr": (layout.OPERATION_MOUNT, _NAME_SECOND),
    "fsmount": (layout.OPERATION_MOUNT, _NO_NAME),
    "pivot_root": (layout.OPERATION_MOUNT, _NAME_FIRST), "umount": (layout.OPERATION_UNMOUNT, _NAME_FIRST),
    "umount2": (layout.OPERATION_UNMOUNT, _NAME_FIRST),
}
FAMILIES = {
    "open": ("open", "creat", "openat", "openat2", "open_by_handle_at"),
    "mmap": ("mmap", "mmap2"),
    "mprotect": ("mprotect", "pkey_mprotect"),
    "connect": ("connect",),
    "socket": ("socket",),
    "socketcall": ("socketcall",),
    "sendto": ("sendto",),
    "sendmsg": ("sendmsg",),
    "sendmmsg": ("sendmmsg",),
    "change": tuple(_CHANGES),
    "setns": ("setns", "unshare"),
}
# fmt: on

CALLS: Mapping[str, Mapping[str, int]] = {"x86_64": _X86_64, "aarch64": _ARM64}
COMPAT_CALLS: Mapping[str, Mapping[str, int]] = {"x86_64": _I386, "aarch64": _ARM}
TABLES = {"call": ("by_call", CALLS), "compat": ("by_compat_call", COMPAT_CALLS)}
_KINDS = {"call": ("call",), "compat": ("compat",), "both": ("call", "compat")}  # how a program's name begins → its tables


def is_target(program: str) -> bool:
    """Whether the program is tail-called by a system call's number and never attached itself."""
    return program.partition("_")[0] in _KINDS and "_" in program


def slots(program: str, machine: str) -> list[tuple[str, int]]:
    """Where the program stands on this machine: tables (call, compat) and call numbers.

    KeyError where we know no such kind or family, or not this machine.
    """
    kind, _, family = program.partition("_")
    known = {table: TABLES[table][1][machine] for table in _KINDS[kind]}
    return [(table, numbers[name]) for table, numbers in known.items() for name in FAMILIES[family] if name in numbers]


def changes(table: str, machine: str, size: int = 512) -> bytes:
    """By call number: operation | name_place << 5, 0 for a call that changes nothing. `table`: call or compat."""
    row = bytearray(size)
    for name, number in TABLES[table][1][machine].items():
        if name in _CHANGES:
            operation, place = _CHANGES[name]
            row[number] = operation | place << 5
    return bytes(row)
