"""Where a path leads inside a root that somebody else filled."""

import ctypes
import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.node.files import MESSAGE, resolved
from agent.node.resolve import DEEPEST, LINKS, Found, find, resolve
from agent.node.worker import Job, Worker
from tests.node.test_worker import wait


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A root as Debian's images have it: /bin and /lib are links, /var/run leads to /run."""
    root = tmp_path / "image"
    for folder in ("usr/bin", "run/lock", "var", "etc/config/..2026_11", "proc", "dev", "opt"):
        (root / folder).mkdir(parents=True)
    links = {
        "bin": "usr/bin", "usr/bin/sh": "dash", "var/run": "/run", "var/lock": "../run/lock", "etc/config/..data": "..2026_11",
        "etc/config/app": "..data/app", "dev/stdout": "/proc/self/fd/1", "opt/up": "../../../../../../etc", "opt/loop": "loop",
        "opt/gone": "/nothing/here", "opt/out": "/../../../..",
    }  # fmt: skip
    (root / "usr/bin/dash").write_text("a program")
    (root / "etc/config/..2026_11/app").write_text("a setting")
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture
def root(image: Path) -> Iterator[int]:
    fd = os.open(image, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("written", "reported"),
    [
        ("/usr/bin/dash", "/usr/bin/dash"),
        ("/bin/sh", "/usr/bin/dash"),
        ("/bin", "/usr/bin"),
        ("/var/run/app.sock", "/run/app.sock"),
        ("/var/lock/x", "/run/lock/x"),
        ("/etc/config/app", "/etc/config/..2026_11/app"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/proc/self/exe", "/proc/self/exe"),
        ("/opt/up/config", "/etc/config"),
        ("/opt/out/usr", "/usr"),
        ("/opt/gone/x", "/nothing/here/x"),
        ("/a/../../b", "/b"),
        ("/usr/bin/dash/x", "/usr/bin/dash/x"),
        ("/" + "n" * 300, "/" + "n" * 300),
        ("/", "/"),
    ],
)
def test_a_path_leads_where_the_kernel_would_go(root: int, written: str, reported: str) -> None:
    assert resolve(root, written) == reported


def test_what_is_there_has_its_identity_and_what_is_not_has_none(root: int, image: Path) -> None:
    there = (image / "usr/bin/dash").stat()
    assert find(root, "/bin/sh") == Found("/usr/bin/dash", True, there.st_dev, there.st_ino)
    assert find(root, "/bin/zsh") == Found("/usr/bin/zsh", False)


def test_a_link_to_itself_is_refused(root: int) -> None:
    with pytest.raises(OSError, match="too many links") as caught:
        resolve(root, "/opt/loop")
    assert caught.value.errno == errno.ELOOP


def test_a_path_deeper_than_the_kernels_programs_keep_is_refused(root: int, image: Path) -> None:
    deep = "/d" * (DEEPEST + 1)
    (image / deep[1:]).mkdir(parents=True)
    with pytest.raises(OSError, match="deeper than"):
        resolve(root, deep)


def test_links_that_multiply_end_after_a_bounded_number_of_steps(root: int, image: Path) -> None:
    target = "/".join(["opt/.."] * 300)
    for number in range(LINKS):
        (image / f"opt/l{number}").symlink_to(f"/{target}/opt/l{number + 1}")
    with pytest.raises(OSError, match="too many steps"):
        resolve(root, "/opt/l0")


def test_a_fifo_or_device_is_not_opened(root: int, image: Path) -> None:
    os.mkfifo(image / "opt/fifo")
    began = time.monotonic()
    assert find(root, "/opt/fifo").exists
    assert resolve(root, "/opt/fifo/x") == "/opt/fifo/x"
    assert time.monotonic() - began < 1


def test_names_that_are_no_text_are_kept(root: int, image: Path) -> None:
    name = os.fsdecode(b"opt/\xff")
    (image / name).symlink_to(os.fsdecode(b"\xfe"))
    assert resolve(root, "/" + name) == os.fsdecode(b"/opt/\xfe")


def test_no_descriptor_is_left_open(root: int) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    for path in ("/bin/sh", "/opt/up", "/no/such", "/opt/out/usr"):
        resolve(root, path)
    with pytest.raises(OSError, match="links"):
        resolve(root, "/opt/loop")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


targets = st.lists(st.sampled_from(["a", "b", "c", "..", ".", "", "/"]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "a/c", "b/a", "b/c"]), st.none() | targets), targets)
def test_whatever_links_there_are_the_answer_is_what_the_kernel_says_when_this_is_its_root(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, str | None], path: str
) -> None:
    image = tmp_path_factory.mktemp("root")
    for name, target in sorted(tree.items()):
        place = image / name
        if place.is_symlink() or any(above.is_symlink() for above in place.parents if above.is_relative_to(image)):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if target is None:
            place.mkdir(exist_ok=True)
        elif not place.exists():
            place.symlink_to(target or ".")
    root = os.open(image, os.O_PATH | os.O_DIRECTORY)
    try:
        kernels = by_the_kernel(image, root, "/" + path)
        try:
            ours = find(root, "/" + path)
        except OSError:  # too many links, here and there
            ours = Found("", False)
        assert (ours.path if ours.exists else None) == kernels
    finally:
        os.close(root)


class How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def by_the_kernel(image: Path, root: int, path: str) -> str | None:
    """What openat2 finds with RESOLVE_IN_ROOT; None: nothing."""
    how = How(os.O_PATH | os.O_CLOEXEC, 0, 0x10)
    fd = ctypes.CDLL(None).syscall(437, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if fd < 0:
        return None
    try:
        return "/" + str(Path(f"/proc/self/fd/{fd}").readlink()).removeprefix(str(image)).lstrip("/")
    finally:
        os.close(fd)


def test_who_chooses_long_names_gets_no_answer_and_takes_none_from_others(image: Path) -> None:
    folder = "/".join("\x01" * 250 for _ in range(16))
    for number in range(20):
        (image / f"opt/l{number}").symlink_to(folder[number:])
    found = resolved(str(image), ["/bin/sh", *(f"/opt/l{number}" for number in range(20))])
    assert found[0] is not None
    assert found[-1] is None
    assert len(json.dumps(found)) < MESSAGE


def test_the_worker_resolves_in_a_process_of_its_own(image: Path) -> None:
    worker = Worker(time.monotonic)
    try:
        worker.submit(Job("it", {"do": "resolve", "root": str(image), "paths": ["/bin/sh", "/opt/loop"]}))
        (result,) = wait(worker)
        assert result.content is not None, result.error
        found = json.loads(result.content)
        assert [one and one[:2] for one in found] == [["/usr/bin/dash", True], None]
    finally:
        worker.close()
