"""A file's name in its container, by the mounts that the runtime made."""

import os

from hypothesis import given
from hypothesis import strategies as st

from agent.node.mountinfo import device_number, parse
from agent.node.mounts import ROWS, Mounts
from model.event import Flag, Layer
from tests.node.builders import mount

DISK, ROOT, SHM, PROC = 8 << 20 | 1, 90, 91, 92
TABLE = (
    mount(ROOT, "/", "/"),
    mount(DISK, "/srv/a", "/mnt/a"),
    mount(DISK, "/srv/a/deep", "/deep"),
    mount(DISK, "/srv/ab", "/mnt/ab"),
    mount(DISK, "/var/lib/kubelet/etc-hosts", "/etc/hosts"),
    mount(PROC, "/", "/proc", 0x9FA0),
    mount(PROC, "/sys", "/proc/sys", 0x9FA0),
    mount(SHM, "/", "/dev", 0x01021994),
    mount(SHM, "/null", "/proc/kcore", 0x01021994),
)


def name(device: int, text: str, layer: Layer = Layer.VOLUME) -> tuple[str, int]:
    return Mounts(TABLE).name(device, layer, text)


def test_a_file_of_the_root_filesystem_keeps_its_path() -> None:
    assert name(ROOT, "/etc/passwd", Layer.IMAGE) == ("/etc/passwd", 0)
    assert name(ROOT, "/", Layer.IMAGE) == ("/", 0)


def test_two_folders_of_one_filesystem_are_told_apart() -> None:
    assert name(DISK, "/srv/a/x") == ("/mnt/a/x", 0)
    assert name(DISK, "/srv/ab/x") == ("/mnt/ab/x", 0)


def test_the_longest_folder_names_a_file_and_all_its_names_are_known() -> None:
    assert name(DISK, "/srv/a/deep/x") == ("/deep/x", 0)
    assert Mounts(TABLE).aliases(DISK, "/srv/a/deep/x") == ("/deep/x", "/mnt/a/deep/x")


def test_a_mounted_file_and_a_mounted_folder_have_the_names_of_their_mount_points() -> None:
    assert name(DISK, "/var/lib/kubelet/etc-hosts") == ("/etc/hosts", 0)
    assert name(DISK, "/srv/a") == ("/mnt/a", 0)


def test_a_file_that_no_mount_shows_is_outside() -> None:
    assert name(DISK, "/etc/shadow") == ("/etc/shadow", Flag.OUTSIDE)
    assert name(DISK, "/srv/abc") == ("/srv/abc", Flag.OUTSIDE)
    assert Mounts(TABLE).aliases(DISK, "/etc/shadow") == ()


def test_a_volume_whose_row_is_missing_is_outside() -> None:
    assert name(77, "/x", Layer.VOLUME) == ("/x", Flag.OUTSIDE)


def test_what_the_runtime_hides_does_not_lend_its_name_to_dev_null() -> None:
    assert name(SHM, "/null", Layer.TMPFS) == ("/dev/null", 0)
    assert Mounts(TABLE).aliases(SHM, "/null") == ("/dev/null", "/proc/kcore")


def test_procfs_is_named_by_where_it_is() -> None:
    assert name(PROC, "/7/stat", Layer.PROC_OTHER) == ("/proc/7/stat", 0)
    assert name(PROC, "/sys/kernel/x", Layer.PROC) == ("/proc/sys/kernel/x", 0)


def test_what_the_workload_mounted_or_made_in_memory_keeps_its_own_path() -> None:
    assert name(ROOT, "/x", Layer.NEW_MOUNT) == ("/x", 0)
    assert name(1, "/memfd:x", Layer.MEMFD) == ("/memfd:x", 0)


def test_without_rows_the_root_filesystem_still_has_its_paths() -> None:
    assert Mounts().name(ROOT, Layer.WRITABLE, "/opt/x") == ("/opt/x", 0)


def test_the_same_row_twice_is_one_row() -> None:
    assert Mounts((*TABLE, *TABLE)).aliases(DISK, "/srv/a/x") == ("/mnt/a/x",)


def test_a_table_is_bounded_and_says_what_it_left_out() -> None:
    mounts = Mounts(mount(DISK, f"/{number}", f"/m{number}") for number in range(ROWS + 5))
    assert mounts.cut == 5


def test_place_finds_what_name_gave() -> None:
    mounts = Mounts(TABLE)
    for device, text in ((DISK, "/srv/a/deep/x"), (DISK, "/srv/a"), (DISK, "/var/lib/kubelet/etc-hosts"), (ROOT, "/etc/x")):
        path, _ = mounts.name(device, Layer.VOLUME, text)
        assert mounts.place(path, device) == (device, text)
        assert mounts.place(path) == (device, text)


def test_a_folder_is_whole_unless_another_mount_names_some_of_it() -> None:
    mounts = Mounts(TABLE)
    assert mounts.whole("/tmp", ROOT, Layer.WRITABLE) == "/tmp"
    assert mounts.whole("/mnt/ab", DISK, Layer.VOLUME) == "/srv/ab"
    assert mounts.whole("/mnt/a", DISK, Layer.VOLUME) is None  # /mnt/a/deep is called /deep
    assert mounts.whole("/mnt/a/other", DISK, Layer.VOLUME) == "/srv/a/other"
    assert mounts.whole("/proc", PROC, Layer.PROC) == "/"  # /proc/sys is a mount of its own, and called so all the same
    assert mounts.whole("/proc/7", PROC, Layer.PROC_OTHER) == "/7"
    assert mounts.whole("/nowhere", DISK, Layer.VOLUME) is None


def test_of_a_volume_that_is_seen_twice_only_the_folder_that_names_its_files_is_whole() -> None:
    mounts = Mounts((mount(DISK, "/srv/a", "/data"), mount(DISK, "/srv/a", "/longer/data")))
    named, _ = mounts.name(DISK, Layer.VOLUME, "/srv/a/x")
    assert [mounts.whole(folder, DISK, Layer.VOLUME) for folder in ("/data", "/longer/data")].count("/srv/a") == 1
    assert mounts.whole(named.removesuffix("/x"), DISK, Layer.VOLUME) == "/srv/a"


SAMPLE = rb"""22 28 0:20 / / ro,relatime master:1 - overlay overlay rw,lowerdir=/x
23 22 8:1 /srv/with\040space /mnt/a\134b rw - ext4 /dev/sda1 rw
24 22 0:21 / /proc rw,nosuid shared:5 master:2 - proc proc rw
"""


def test_mountinfo_gives_the_rows_of_a_container_that_ran_before() -> None:
    rows = parse(SAMPLE, 77, 5)
    assert [(row.device, row.root, row.point, row.is_root) for row in rows] == [
        (device_number(0, 20), "/", "/", True),
        (device_number(8, 1), "/srv/with space", r"/mnt/a\\b", False),
        (device_number(0, 21), "/", "/proc", False),
    ]
    assert rows[2].filesystem == 0x9FA0
    assert (rows[0].container, rows[0].time_ns) == (77, 5)


def test_lines_that_are_not_whole_are_left_out() -> None:
    assert len(parse(SAMPLE[:-40] + b"\n1 2 3\n\n- - -\n9 9 x:y / / - z\n", 77, 5)) == 2


def test_our_own_mountinfo_is_read_whole() -> None:
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123
        raw = file.read()
    rows = parse(raw, 1, 1)
    assert len(rows) == raw.count(b"\n")
    assert next(row for row in rows if row.is_root).device == _kernel_form(os.stat("/").st_dev)  # noqa: PTH116


pieces = st.sampled_from([b" ", b"-", b"/", b"8:1", b"\\040", b"\\777", b"x", b"\n", b"\xff"])


@given(st.binary() | st.lists(pieces).map(b"".join))
def test_any_bytes_are_survived_as_mountinfo(raw: bytes) -> None:
    for row in parse(raw, 1, 1):
        assert row.root.startswith("/")


paths = st.lists(st.sampled_from(["a", "ab", "b", "c"]), max_size=4).map(lambda steps: "/" + "/".join(steps))


@given(st.lists(st.tuples(paths, paths), max_size=6), paths)
def test_a_name_is_always_one_of_the_aliases_or_outside(rows: list[tuple[str, str]], text: str) -> None:
    mounts = Mounts(mount(DISK, root, point) for root, point in rows)
    path, flags = mounts.name(DISK, Layer.VOLUME, text)
    aliases = mounts.aliases(DISK, text)
    assert (path in aliases) if aliases else flags == Flag.OUTSIDE


def _kernel_form(device: int) -> int:
    return device_number(os.major(device), os.minor(device))


@given(st.lists(st.tuples(paths, paths), max_size=5), paths, paths)
def test_all_below_a_whole_folder_is_called_as_below_it(table: list[tuple[str, str]], folder: str, below: str) -> None:
    mounts = Mounts(mount(DISK, root, point) for root, point in table)
    inside = mounts.whole(folder, DISK, Layer.VOLUME)
    if inside is not None and below != "/":
        text = inside.rstrip("/") + below
        assert mounts.name(DISK, Layer.VOLUME, text) == (folder.rstrip("/") + below, 0)
