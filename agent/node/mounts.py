"""A container's first mount table: the container's names for a file that the kernel knows by its place in a filesystem.

The kernel says (device, path inside the filesystem). A row says which folder of that filesystem is seen where. The longest
folder that holds the file names it, so two bind mounts of one filesystem are told apart. A file may have several names:
what allows may go by one, what denies must try `aliases`.

What runtimes put over parts of /proc and /sys to hide them (a bind of /dev/null) is named last: else /dev/null would be
called /proc/kcore.
"""

from collections.abc import Iterable

from msgspec import Struct

from model.event import Flag, Layer, Mount

ROWS = 2048  # of one container: the kernel notes at most 2000
_OUTSIDE = int(Flag.OUTSIDE)
_PROC, _SYSFS = 0x9FA0, 0x62656572
_NEW_MOUNT, _MEMFD, _HOST = Layer.NEW_MOUNT, Layer.MEMFD, Layer.HOST
_IN_ROOT = (Layer.IMAGE, Layer.WRITABLE, Layer.ROOT)


class Row(Struct, frozen=True, gc=False):
    """One mount: `below` is its folder inside the filesystem with a slash at the end, `point` where it is seen, without."""

    root: str
    below: str
    point: str
    hides: bool  # it covers a part of /proc or /sys


class Mounts:
    """The rows of one container, by device. Bounded; what doesn't fit is counted in `cut`."""

    def __init__(self, rows: Iterable[Mount] = ()) -> None:
        self._rows: dict[int, tuple[Row, ...]] = {}
        self._count = 0
        self.cut = 0
        for row in rows:
            self.add(row)

    def add(self, mount: Mount) -> None:
        """Take one row. The same row again changes nothing."""
        row = _row(mount)
        rows = self._rows.get(mount.device, ())
        if row in rows:
            return
        if self._count >= ROWS:
            self.cut += 1
            return
        self._count += 1
        self._rows[mount.device] = tuple(sorted((*rows, row), key=lambda row: (row.hides, -len(row.below))))

    def name(self, device: int, layer: Layer, text: str) -> tuple[str, int]:
        """The container's name of a file, and OUTSIDE if a filesystem that it should be on shows it nowhere.

        A filesystem that isn't in the table (new mount, anonymous memory, the host's) keeps its own paths. So do the
        layers of the root filesystem, which the kernel has confirmed, while no row is there. Under 1 µs.
        """
        if layer is _NEW_MOUNT or layer is _MEMFD or layer is _HOST:
            return text, 0
        rows = self._rows.get(device)
        if rows is None:
            return text, 0 if layer in _IN_ROOT else _OUTSIDE
        for row in rows:
            if text == row.root:
                return row.point or "/", 0
            if text.startswith(row.below):
                return f"{row.point}/{text[len(row.below) :]}", 0
        return text, _OUTSIDE

    def is_seen_twice(self, device: int) -> bool:
        """Whether files of this filesystem may have more than one name."""
        return len(self._rows.get(device, ())) > 1

    def place(self, path: str, device: int | None = None) -> tuple[int, str] | None:
        """The way back: device and path inside the filesystem of what the container calls so; on `device` only, if given.

        By text: a symbolic link is not followed. None where no mount shows it.
        """
        best: tuple[int, int, str] | None = None
        for on, rows in self._rows.items():
            for row in rows if device is None or on == device else ():
                if (path == row.point or path.startswith(row.point + "/")) and (best is None or len(row.point) > best[0]):
                    rest = path[len(row.point) + 1 :]
                    best = (len(row.point), on, row.below + rest if rest else row.root)
        return (best[1], best[2]) if best else None

    def whole(self, path: str, device: int, layer: Layer) -> str | None:
        """The folder inside the filesystem for one that a container calls so, if all below it is called as below `path`.

        None where another mount names some of it otherwise: a verdict on `path` is not one on that.
        """
        found = self.place(path, device)
        if found is None:
            return None
        inside, above = found[1].rstrip("/"), path.rstrip("/")
        folders = [inside, *(row.below[:-1] for row in self._rows[device] if row.below.startswith(f"{inside}/"))]
        named = all(self.name(device, layer, f"{one}/x") == (f"{above}{one[len(inside) :]}/x", 0) for one in folders)
        return found[1] if named else None

    def aliases(self, device: int, text: str) -> tuple[str, ...]:
        """All names that the container has for a file, the best first; () if it sees it nowhere."""
        rows = self._rows.get(device, ())
        names = [_named(row, text) for row in rows if text == row.root or text.startswith(row.below)]
        return tuple(dict.fromkeys(names))


def _row(mount: Mount) -> Row:
    root = mount.root.rstrip("/")
    point = mount.point.rstrip("/")
    hides = point.startswith(("/proc/", "/sys/")) and mount.filesystem not in (0, _PROC, _SYSFS)
    return Row(root or "/", root + "/", point, hides)


def _named(row: Row, text: str) -> str:
    return row.point or "/" if text == row.root else f"{row.point}/{text[len(row.below) :]}"
