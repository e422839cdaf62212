"""Somebody changes the policies: whatever way they are written, the set that counts is read within a second."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from agent.policies import Found, Policies
from agent.watching import POLL_S, Watcher
from tests.agent_parts.test_policies import allowed, policy
from tests.containers.programs import PROJECT

SETTLE_S = 0.1
LIMITS = """
import sys, time
from pathlib import Path
from threading import Event, Thread
from agent.watching import Watcher
folder, limit = Path(sys.argv[1]), sys.argv[2]
Path(f"/proc/sys/user/{limit}").write_text("0")
watcher, ending = Watcher([folder], 0.05), Event()
thread = Thread(target=watcher.run, args=(ending,))
thread.start()
def read():
    while not watcher.waiting:
        time.sleep(0.01)
    return [one.name for one in watcher.taken().read.policies]
print(read(), watcher.mode, watcher.why)
(folder / "q.yaml").write_text((folder / "p.yaml").read_text().replace("{name: p}", "{name: q}"))
print(read())
ending.set()
thread.join()
"""


class Live:
    """Policies that follow a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policies = Policies([folder])
        self.policies.load()
        self.watcher = Watcher([folder], SETTLE_S)

    def takes(self, within_s: float = 5.0) -> Found:
        """The next thing that is read."""
        until_s = time.monotonic() + within_s
        while (found := self.watcher.taken()) is None:
            assert time.monotonic() < until_s, "nothing was read"
            time.sleep(0.005)
        self.policies.take(found)
        return found

    def allows(self, path: str, within_s: float = 5.0) -> float:
        """Wait until this is the one program that is allowed; the seconds that it took."""
        began_s = time.monotonic()
        while allowed(self.policies, "/bin/a", "/bin/b", "/bin/c") != [path]:
            self.takes(began_s + within_s - time.monotonic())
        return time.monotonic() - began_s


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """One policy, which allows /bin/a, and somebody who watches it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "p.yaml").write_text(policy("/bin/a"))
    yield from watched(tmp_path / "rules")


def watched(folder: Path) -> Iterator[Live]:
    made, ending = Live(folder), Event()
    thread = Thread(target=made.watcher.run, args=(ending,))
    thread.start()
    made.takes()
    yield made
    ending.set()
    made.watcher.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_a_file_that_is_written_counts_within_a_second(live: Live) -> None:
    assert live.watcher.mode == "inotify"
    (live.folder / "p.yaml").write_text(policy("/bin/b"))
    assert live.allows("/bin/b") < 1


def test_so_does_one_that_an_editor_puts_in_its_place(live: Live) -> None:
    part = live.folder / ".p.yaml.swp"
    part.write_text(policy("/bin/b"))
    part.rename(live.folder / "p.yaml")
    assert live.allows("/bin/b") < 1


def test_a_lock_that_an_editor_leaves_is_no_policy(live: Live) -> None:
    (live.folder / ".#p.yaml").symlink_to("somebody@host.1")
    assert live.takes().read.problems == []


def test_a_file_that_is_deleted_is_no_longer_in_force(live: Live) -> None:
    (live.folder / "p.yaml").unlink()
    live.takes()
    assert len(live.policies) == 0


def test_a_file_that_comes_into_a_new_folder_counts(live: Live) -> None:
    (live.folder / "below").mkdir()
    (live.folder / "p.yaml").unlink()
    (live.folder / "below" / "q.yaml").write_text(policy("/bin/b", "q"))
    assert live.allows("/bin/b") < 2


def test_a_config_map_is_swapped_by_one_link(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()

    def publish(stamp: str, allow: str) -> None:
        """As the kubelet does: the new folder, then `..data` by a rename, then the old folder goes."""
        old = (folder / "..data").resolve() if (folder / "..data").exists() else None
        (folder / stamp).mkdir()
        (folder / stamp / "p.yaml").write_text(policy(allow))
        (folder / "..data_tmp").symlink_to(stamp)
        (folder / "..data_tmp").rename(folder / "..data")
        if old:
            shutil.rmtree(old)
        else:
            (folder / "p.yaml").symlink_to("..data/p.yaml")

    publish("..2026_01_01", "/bin/a")
    for live in watched(folder):
        assert len(live.policies) == 1, "a file and what it leads to are one"
        publish("..2026_01_02", "/bin/b")
        assert live.allows("/bin/b") < 1
        assert (len(live.policies), live.policies.problems) == (1, ())
        publish("..2026_01_03", "/bin/c")
        assert live.allows("/bin/c") < 1


def test_a_folder_that_vanishes_and_comes_back_is_watched_again(live: Live) -> None:
    shutil.rmtree(live.folder)
    while not live.takes().missing:
        pass
    assert allowed(live.policies, "/bin/a") == ["/bin/a"], "the last policies stay in force"
    live.folder.mkdir()
    (live.folder / "p.yaml").write_text(policy("/bin/b"))
    assert live.allows("/bin/b") < 2
    (live.folder / "p.yaml").write_text(policy("/bin/c"))
    assert live.allows("/bin/c") < 2


def test_a_folder_behind_a_link_that_is_turned_to_another_is_the_other(tmp_path: Path) -> None:
    for name, allow in (("one", "/bin/a"), ("two", "/bin/b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.yaml").write_text(policy(allow))
    (tmp_path / "rules").symlink_to("one")
    for live in watched(tmp_path / "rules"):
        (tmp_path / "one" / "p.yaml").write_text(policy("/bin/c"))
        assert live.allows("/bin/c") < 1
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(tmp_path / "rules")
        assert live.allows("/bin/b") < 2
        (tmp_path / "two" / "p.yaml").write_text(policy("/bin/c"))
        assert live.allows("/bin/c") < 2


def test_one_file_is_watched_as_a_folder_is(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(policy("/bin/a"))
    for live in watched(file):
        (tmp_path / "part").write_text(policy("/bin/b"))
        (tmp_path / "part").rename(file)
        assert live.allows("/bin/b") < 1
        file.write_text(policy("/bin/c"))
        assert live.allows("/bin/c") < 1


def test_half_a_file_changes_nothing_until_it_is_whole(live: Live) -> None:
    (live.folder / "p.yaml").write_text(policy("/bin/b")[:60])
    while not live.takes().read.problems:
        pass
    assert allowed(live.policies, "/bin/a") == ["/bin/a"]
    assert live.policies.problems
    (live.folder / "p.yaml").write_text(policy("/bin/b"))
    assert live.allows("/bin/b") < 1
    assert live.policies.problems == ()


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_where_inotify_s_limits_are_used_up_it_polls_and_says_so(tmp_path: Path, limit: str) -> None:
    """The limits are a user namespace's own: nobody else meets them."""
    (tmp_path / "p.yaml").write_text(policy("/bin/a"))
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", LIMITS, str(tmp_path), limit]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert first.startswith("['p'] polling inotify: ")
    assert ("No space left" in first) or ("Too many open files" in first)
    assert second == "['p', 'q']"


def test_an_observer_whose_threads_end_gives_way_to_polling(live: Live) -> None:
    observer = live.watcher.observer
    assert observer is not None
    observer.stop()
    live.takes()
    assert (live.watcher.mode, live.watcher.why) == ("polling", "inotify: its thread ended")
    (live.folder / "p.yaml").write_text(policy("/bin/b"))
    assert live.allows("/bin/b") < 1 + 2 * POLL_S
