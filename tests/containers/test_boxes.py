"""A box is a real container, and nothing of it stays."""

import time
from pathlib import Path

import pytest

from tests.containers import cgroups, processes
from tests.containers.runc import Box, MakeBox
from tests.containers.spec import NAMESPACES, Mount, Recipe
from tests.containers.workshop import Workshop


def test_a_box_starts_within_half_a_second(box: MakeBox) -> None:
    took = []
    for _ in range(4):
        began = time.monotonic()
        box()
        took.append(time.monotonic() - began)
    assert min(took) < 0.5


def test_a_box_runs_its_own_program_when_it_has_started(box: MakeBox) -> None:
    one = box(Recipe(args=("sleep", "77")))
    assert Path(f"/proc/{one.pid}/cmdline").read_bytes() == b"sleep\x0077\x00"
    assert Path(f"/proc/{one.pid}/cgroup").read_text().endswith(f"0::/vedette-test/{one.name}\n")
    assert one.processes() == [one.pid]


def test_a_program_is_executed_in_it_from_outside(box: MakeBox) -> None:
    result = box(Recipe(name="hello")).exec("sh", "-c", "hostname; cat; exit 3", stdin=b"given")
    assert (result.code, result.out) == (3, "hello\ngiven")


def test_a_box_runs_to_its_end(workshop: Workshop) -> None:
    assert Box(workshop, Recipe(args=("sh", "-c", "echo out; echo err >&2; exit 5"))).run().code == 5


def test_a_removed_box_leaves_no_process_mount_cgroup_or_file(workshop: Workshop) -> None:
    with Box(workshop) as one:
        one.exec("sh", "-c", "sleep 1000 >/dev/null 2>&1 &")
        pids = one.processes()
        assert len(pids) == 2
    assert not [pid for pid in pids if processes.alive(pid)]
    assert str(workshop.boxes) not in Path("/proc/self/mountinfo").read_text()
    assert not [root for root in cgroups.roots() if (root / one.cgroup[1:]).exists()]
    assert not one.folder.exists()


def test_what_it_writes_goes_to_its_upper_layer_and_not_to_the_image(box: MakeBox) -> None:
    one = box()
    one.exec("sh", "-c", "echo changed > /etc/benign")
    assert (one.upper / "etc/benign").read_text() == "changed\n"
    assert (one.lower / "etc/benign").read_text() == "benign\n"
    assert one.path("/etc/benign").read_text() == "changed\n"


def test_a_terminal_of_its_own_and_one_for_a_visitor(box: MakeBox) -> None:
    one = box(Recipe(terminal=True))
    assert "/dev/pts/0" in one.exec("ls", "-l", "/proc/1/fd").out
    assert "/dev/pts/1" in one.shell("tty").out


def test_a_root_that_is_read_only(box: MakeBox) -> None:
    assert "Read-only" in box(Recipe(readonly=True)).exec("touch", "/x").err


def test_folders_of_one_filesystem_are_told_apart_by_their_mounts(box: MakeBox, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "host").write_text(name)
    one = box(Recipe(mounts=(Mount(f"{tmp_path}/a", "/mnt/a"), Mount(f"{tmp_path}/b", "/mnt/b"), Mount("tmpfs", "/mnt/t"))))
    assert one.exec("cat", "/mnt/a/host", "/mnt/b/host").out == "ab"
    assert "tmpfs /mnt/t" in one.exec("mount").out.replace(" on ", " ")


def test_loopback_is_up_in_its_own_network_namespace(box: MakeBox) -> None:
    assert box().exec("ping", "-c", "1", "127.0.0.1").code == 0


def test_a_box_as_on_a_machine_with_cgroup_v2_alone(box: MakeBox) -> None:
    one = box(Recipe(v2_alone=True, namespaces=(*NAMESPACES, "cgroup")))
    assert Path(f"/proc/{one.pid}/cgroup").read_text().endswith(f"0::/vedette-test/{one.name}\n")
    assert one.exec("tail", "-n", "1", "/proc/self/cgroup").out == "0::/\n"
    assert [root for root in cgroups.roots() if (root / one.cgroup[1:]).exists()] == [cgroups.v2_root()]


def test_a_process_of_a_box_without_a_pid_namespace_tells_the_host_s_pid(box: MakeBox) -> None:
    one = box(Recipe(namespaces=tuple(kind for kind in NAMESPACES if kind != "pid")))
    with one.popen("sh", "-c", "echo $$; read line") as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) in one.processes()
        running.communicate(b"go\n")


def test_a_second_box_of_the_same_name_is_refused(box: MakeBox, workshop: Workshop) -> None:
    box(Recipe(name="twin"))
    with pytest.raises(RuntimeError, match="/vedette-test/twin exists already"):
        Box(workshop, Recipe(name="twin"))


def test_a_box_that_can_not_start_says_why_and_leaves_nothing(workshop: Workshop) -> None:
    with pytest.raises(RuntimeError, match="no such file or directory"), Box(workshop, Recipe(name="bad", args=("/nothing",))):
        pass
    assert not (workshop.boxes / "bad").exists()
