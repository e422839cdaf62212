"""The check that nothing is left behind finds what is."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from tests.containers import cgroups, leaks, mounts
from tests.containers.network import Namespace
from tests.containers.runc import Box
from tests.containers.workshop import Workshop

UNTIL_IT_RUNS = "until grep -q ^sleep /proc/$!/cmdline; do :; done"


@contextmanager
def finding(name: str) -> Iterator[None]:
    """What the body leaves is named; the caller clears it away afterwards."""
    before = leaks.traces()
    yield
    assert [trace for trace in leaks.left_since(before, patience_s=0) if name in trace]


def test_a_process_left_behind_is_named_even_if_its_parent_is_gone() -> None:
    with finding("'sleep 4321 '"):
        subprocess.run(["sh", "-c", f"sleep 4321 >/dev/null 2>&1 & {UNTIL_IT_RUNS}"], check=True)
    pid = next(int(trace.split()[1]) for trace in leaks.traces() if "'sleep 4321 '" in trace)
    subprocess.run(["kill", str(pid)], check=True)


def test_a_box_left_behind_is_named_by_its_mount_cgroup_and_processes(workshop: Workshop) -> None:
    before = leaks.traces()
    with Box(workshop) as box:
        left = [trace for trace in leaks.traces() - before if box.name in trace]
    assert {trace.split()[0] for trace in left} >= {"cgroup", "mount"}
    assert [trace for trace in left if str(cgroups.v2_root()) in trace]


def test_a_network_namespace_left_behind_is_named() -> None:
    before = leaks.traces()
    with Namespace() as namespace:
        assert any(namespace.name in trace for trace in leaks.left_since(before, patience_s=0))


def test_a_mount_left_behind_is_named(workshop: Workshop) -> None:
    at = workshop.folder / "mounted"
    at.mkdir()
    with finding(str(at)):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", at], check=True)
    mounts.unmount(at)
    at.rmdir()


def test_a_mount_that_is_held_for_a_moment_is_waited_for_and_one_that_stays_held_names_who(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], check=True)
    with (tmp_path / "held").open("w") as held:
        with pytest.raises(OSError, match=f"/proc/{os.getpid()}/fd/{held.fileno()}"):
            mounts.unmount(tmp_path, patience_s=0)
        Timer(0.2, held.close).start()
        mounts.unmount(tmp_path)
    assert not tmp_path.is_mount()


def test_what_ends_within_a_moment_is_not_left_behind() -> None:
    before = leaks.traces()
    subprocess.run(["sh", "-c", "sleep 0.3 >/dev/null 2>&1 &"], check=True)
    assert not leaks.left_since(before)


def test_what_a_killed_session_left_is_cleared_by_the_next(workshop: Workshop) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    folder = Path(f"{workshop.folder.parent}/vedette-test-{gone}-dead")
    (folder / "boxes/one").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder / "boxes/one"], check=True)
    with Workshop():
        assert not folder.exists()
