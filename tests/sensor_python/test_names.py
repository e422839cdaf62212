"""The name hash is the same in the kernel and in Python, and can't be chosen from inside."""

from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.names import hash_names
from tests.sensor_python.kernel import Bench, Box

NAMES = layout.FLOW_KEY_FIELDS.index("names")
TWINS = (b"/data/report-2024-01-01-final.txt", b"/data/report-\xb2024-41-\xb01-final.txt")


def kernels(box: Box, file: Path) -> int:
    """The hash that the kernel made of a file that is opened."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    box.run("/bin/cat", str(file))
    (seen,) = box.opens_of(str(file))
    hashed: int = layout.FLOW_KEY.unpack(seen.flow)[NAMES]
    return hashed


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 255])
def test_a_name_of_any_length_has_the_same_hash(bench: Bench, tmp_path: Path, length: int) -> None:
    file = tmp_path / ("n" * length)
    with bench.container() as box:
        assert kernels(box, file) == hash_names(bench.sensor.seed, str(file).encode())


@pytest.mark.parametrize("depth", range(1, 9))
def test_a_path_of_any_depth_has_the_same_hash(bench: Bench, depth: int) -> None:
    """Short names: those near the root are hashed in another way than the rest (path.bpf.h)."""
    root = Path("/vedette-test-names")
    file = root / "/".join("abcdefg"[: depth - 1]) if depth > 1 else root
    try:
        with bench.container() as box:
            assert kernels(box, file) == hash_names(bench.sensor.seed, str(file).encode())
    finally:
        _remove(root)


def test_no_two_names_have_one_hash_whatever_the_seed() -> None:
    """These two had: the flipped bits of one word were taken back by the next."""
    for seed in (1, 0x0123_4567_89AB_CDEF, 2**64 - 1, 0x9E37_79B9_7F4A_7C15):
        assert hash_names(seed, TWINS[0]) != hash_names(seed, TWINS[1])


def _remove(root: Path) -> None:
    if root.is_file():
        root.unlink()
    elif root.exists():
        for path in sorted(root.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        root.rmdir()
