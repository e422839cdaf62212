"""/proc/PID/mountinfo → rows of a mount table, for containers that ran before the agent.

The text is the container's: it may be cut, forged by odd names, or huge. Lines that aren't whole are left out.
"""

import re
from collections.abc import Iterator

from model.event import Mount
from model.text import from_bytes

LINES = 2000
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MAGIC = {
    b"proc": 0x9FA0,
    b"sysfs": 0x62656572,
    b"tmpfs": 0x01021994,
    b"devtmpfs": 0x01021994,
    b"overlay": 0x794C7630,
    b"ext4": 0xEF53,
    b"xfs": 0x58465342,
    b"btrfs": 0x9123683E,
    b"devpts": 0x1CD1,
    b"mqueue": 0x19800202,
    b"cgroup": 0x27E0EB,
    b"cgroup2": 0x63677270,
    b"fuse": 0x65735546,
    b"nfs": 0x6969,
}


def parse(raw: bytes, container: int, time_ns: int) -> list[Mount]:
    """At most LINES rows. `filesystem` is 0 for a type whose magic number isn't known; `superblock` is not in the text."""
    return list(_rows(raw, container, time_ns))


def device_number(major: int, minor: int) -> int:
    """The kernel's own form of a device number (s_dev), which the border uses; not that of os.stat."""
    return major << 20 | minor


def _rows(raw: bytes, container: int, time_ns: int) -> Iterator[Mount]:
    lines = raw.split(b"\n", LINES)
    rows = [fields for fields in map(_fields, lines[:LINES]) if fields]
    root_device = next((device for device, _, point, _ in reversed(rows) if point == b"/"), None)
    for device, root, point, kind in rows:
        yield Mount(
            time_ns=time_ns,
            container=container,
            superblock=0,
            device=device,
            root=from_bytes(root),
            point=from_bytes(point),
            filesystem=_MAGIC.get(kind, 0),
            is_root=device == root_device,
        )


def _fields(line: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    """Device, root, mount point and type: `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda rw`."""
    parts = line.split(b" ")
    try:
        kind = parts[parts.index(b"-", 6) + 1]
        major, minor = parts[2].split(b":")
        device = device_number(_number(major, 4096), _number(minor, 1 << 20))
    except (ValueError, IndexError):
        return None
    root, point = _plain(parts[3]), _plain(parts[4])
    return (device, root, point, kind) if root.startswith(b"/") and point.startswith(b"/") else None


def _number(digits: bytes, limit: int) -> int:
    if not digits.isdigit() or len(digits) > 7 or int(digits) >= limit:
        raise ValueError(digits)
    return int(digits)


def _plain(field: bytes) -> bytes:
    """Without the kernel's octal escapes for space, tab, newline, backslash and hash."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 255]), field)
