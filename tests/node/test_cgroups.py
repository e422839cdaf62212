"""The host's identity hierarchy: found on every layout of hierarchies, refused where only a part of it is seen."""

import os
from pathlib import Path

import pytest

from agent.node.cgroups import CgroupError, existing, find_hierarchy, path_of
from tests.containers import cgroups

MINE = "/vedette-test-node"


def mounts(tmp_path: Path, *lines: str) -> str:
    file = tmp_path / "mounts"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def test_this_hosts_hierarchy_is_found() -> None:
    found = find_hierarchy()
    assert Path(found.mount) == cgroups.v2_root()
    assert found.version == 2


def test_without_the_unified_one_that_of_pids_counts(tmp_path: Path) -> None:
    root = Path("/sys/fs/cgroup/pids") if Path("/sys/fs/cgroup/pids").exists() else cgroups.v2_root()
    memory = f"cgroup {root} cgroup rw,memory 0 0"
    pids = f"cgroup {root} cgroup rw,nosuid,pids 0 0"
    assert find_hierarchy(mounts(tmp_path, memory, "tmpfs / tmpfs rw 0 0", pids)).controller == "pids"
    assert find_hierarchy(mounts(tmp_path, memory)).controller == "memory"


def test_a_part_of_the_hosts_cgroups_is_refused_with_a_hint(tmp_path: Path) -> None:
    part = tmp_path / "cgroup"
    part.mkdir()
    with pytest.raises(CgroupError, match=r"(?s)not the root.*hint: "):
        find_hierarchy(mounts(tmp_path, f"cgroup2 {part} cgroup2 rw 0 0"))


def test_no_hierarchy_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match="no cgroup hierarchy"):
        find_hierarchy(mounts(tmp_path, "proc /proc proc rw 0 0", "broken"))


def test_what_exists_is_listed_parents_first_with_the_kernels_ids() -> None:
    hierarchy = find_hierarchy()
    own = f"{MINE}-{os.getpid()}"
    folder = Path(hierarchy.mount) / own.lstrip("/") / "a" / "b"
    folder.mkdir(parents=True)
    try:
        ids = {path: (cgroup, parent) for cgroup, parent, path in existing(hierarchy) if path.startswith(own)}
        assert list(ids) == [own, f"{own}/a", f"{own}/a/b"]
        assert ids[f"{own}/a/b"] == (folder.stat().st_ino, ids[f"{own}/a"][0])
        assert ids[own][1] == 1
        assert path_of(hierarchy, folder.stat().st_ino) == f"{own}/a/b"
        assert path_of(hierarchy, 1 << 40) == ""
    finally:
        cgroups.remove(own)
