"""The cgroups that exist on a host."""

import os
from pathlib import Path

from agent.node.cgroups import existing, path_of
from tests.containers import cgroups

MINE = "/vedette-test-node"


def test_what_exists_is_listed_parents_first_with_the_kernels_ids() -> None:
    mount = str(cgroups.v2_root())
    own = f"{MINE}-{os.getpid()}"
    folder = Path(mount) / own.lstrip("/") / "a" / "b"
    folder.mkdir(parents=True)
    try:
        ids = {path: (cgroup, parent) for cgroup, parent, path in existing(mount) if path.startswith(own)}
        assert list(ids) == [own, f"{own}/a", f"{own}/a/b"]
        assert ids[f"{own}/a/b"] == (folder.stat().st_ino, ids[f"{own}/a"][0])
        assert ids[own][1] == 1
        assert path_of(mount, folder.stat().st_ino) == f"{own}/a/b"
        assert path_of(mount, 1 << 40) == ""
    finally:
        cgroups.remove(own)
