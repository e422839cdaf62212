"""The hierarchy that names containers is the host's, or none."""

from pathlib import Path

import pytest

from agent.sensor.cgroups import NoCgroups, find


def proc(folder: Path, *mounts: str, cgroups: str = "") -> Path:
    (folder / "self").mkdir()
    lines = [f"30 24 0:26 / {point} rw,relatime - {kind}" for point, kind in (mount.split(" ", 1) for mount in mounts)]
    (folder / "self/mountinfo").write_text("\n".join(["24 1 8:1 / / rw - ext4 /dev/sda1 rw", *lines, ""]))
    (folder / "cgroups").write_text("#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + cgroups)
    return folder


def test_this_hosts_hierarchy_is_found() -> None:
    assert find().path.stat().st_ino == 1


def test_the_v2_hierarchy_is_taken_first(tmp_path: Path) -> None:
    real = find().path
    found = find(proc(tmp_path, f"{real} cgroup cgroup rw,pids", f"{real} cgroup2 cgroup2 rw", cgroups="pids\t5\t1\t1\n"))
    assert (found.path, found.subsystem, found.number, found.unified) == (real, -1, 0, True)


def test_without_v2_a_subsystem_of_v1_names_containers(tmp_path: Path) -> None:
    real = find().path
    table = "cpuset\t3\t1\t1\ncpu\t0\t1\t1\npids\t11\t1\t1\n"
    found = find(proc(tmp_path, f"{real} cgroup cgroup rw,pids", cgroups=table))
    assert (found.subsystem, found.number, found.unified) == (2, 11, False)


def test_the_root_of_a_private_cgroup_namespace_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(NoCgroups, match=r"not the host's root.*\nhint: run in the host's cgroup namespace"):
        find(proc(tmp_path, f"{tmp_path} cgroup2 cgroup2 rw"))


def test_no_hierarchy_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoCgroups, match="no cgroup hierarchy is mounted"):
        find(proc(tmp_path))
