"""A file that is opened is recorded once by the file that was really opened, by every way there is to open one."""

from pathlib import Path

import pytest

from model.event import Access, Flag, Layer, Open, Session
from model.text import to_bytes
from tests.agent.conftest import MakeNamedBox
from tests.agent.sight import Sight
from tests.containers.runc import Box
from tests.containers.spec import Mount

READ, WRITE, CREATE, TRUNCATE, APPEND = Access.READ, Access.WRITE, Access.CREATE, Access.TRUNCATE, Access.APPEND
WAYS = {
    "open": Flag(0),
    "openat": Flag(0),
    "openat2": Flag(0),
    "open-uring": Flag.URING,
    "open-uring-async": Flag.URING,
    "open-uring-direct": Flag.URING,
    "open-uring-openat2": Flag.URING,
    "open-int80": Flag.COMPAT,
    "open-int80-openat": Flag.COMPAT,
}
HOW = {
    "r": READ,
    "w": WRITE,
    "rw": READ | WRITE,
    "trunc": WRITE | TRUNCATE,
    "append": WRITE | APPEND,
    "empty": READ | TRUNCATE,
    "create": WRITE | CREATE,
    "exclusive": WRITE | CREATE,
}
NUMBERED = (f"/data/d00/f{number:04d}" for number in range(100))  # of the image, each used once


def opened(agent: Sight, box: Box, path: str) -> Open:
    event = agent.sees(box, Open, path=path, program="/usr/bin/attack").event
    assert isinstance(event, Open)
    return event


@pytest.mark.parametrize(("verb", "flag"), WAYS.items())
def test_each_way_to_open_is_seen(agent: Sight, plain: Box, verb: str, flag: Flag) -> None:
    path = next(NUMBERED)
    plain.attack(verb, path)
    event = opened(agent, plain, path)
    assert (event.access, event.file.layer, event.file.flags) == (READ, Layer.IMAGE, flag)
    assert event.actor.session is Session.EXEC


@pytest.mark.parametrize(("verb", "path"), [("creat", "/tmp/made-1"), ("open-int80-creat", "/tmp/made-2")])
def test_creat_makes_and_empties_a_file(agent: Sight, plain: Box, verb: str, path: str) -> None:
    plain.attack(verb, path)
    event = opened(agent, plain, path)
    assert (event.access, event.file.layer) == (WRITE | CREATE | TRUNCATE, Layer.WRITABLE)


def test_a_file_opened_by_its_handle_is_named(agent: Sight, mighty: Box) -> None:
    mighty.exec("touch", "/dev/shm/held")
    mighty.attack("open-handle", "/dev/shm", "held")
    assert opened(agent, mighty, "/dev/shm/held").file.layer is Layer.TMPFS


def test_a_file_opened_from_a_directory_is_named_whole(agent: Sight, plain: Box) -> None:
    plain.attack("open-relative", "/data/d19", "f1999")
    assert opened(agent, plain, "/data/d19/f1999").access == READ


@pytest.mark.parametrize("verb", ["open", "openat2", "open-uring", "open-int80"])
@pytest.mark.parametrize(("how", "access"), HOW.items())
def test_what_it_was_opened_for(agent: Sight, plain: Box, verb: str, how: str, access: Access) -> None:
    path = f"/opt/{verb}-{how}"
    if not access & CREATE:
        plain.exec("touch", path)
    plain.attack(verb, path, how)
    assert opened(agent, plain, path).access == access


def test_a_name_without_the_file_is_no_open(agent: Sight, plain: Box) -> None:
    plain.attack("open", "/data/d18/f1899", "path")
    agent.settled(plain)
    assert agent.records(plain, Open, path="/data/d18/f1899") == []


def test_a_symlink_is_followed(agent: Sight, plain: Box) -> None:
    plain.exec("ln", "-s", "/data/d18/f1800", "/tmp/pointing")
    plain.attack("open", "/tmp/pointing")
    assert opened(agent, plain, "/data/d18/f1800").file.layer is Layer.IMAGE


def test_what_the_workload_wrote_is_told_from_what_the_image_has(agent: Sight, plain: Box) -> None:
    plain.exec("sh", "-c", "echo more >> /data/d17/f1700")
    plain.attack("open", "/data/d17/f1700")
    assert opened(agent, plain, "/data/d17/f1700").file.layer is Layer.WRITABLE


def test_a_path_that_is_too_long_is_marked(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    box.attack("open-deep", "/tmp", "60")
    event = agent.sees(box, Open, path=lambda path: path.endswith("d" * 100 + "/deep"), access=READ).event
    assert isinstance(event, Open)
    assert Flag.CUT in event.file.flags


def test_a_hostile_name_is_kept_byte_for_byte(agent: Sight, plain: Box) -> None:
    plain.exec("sh", "-c", r"""printf x > "$(printf '/tmp/new\nline\033[31m\377\\')" """)
    event = agent.sees(plain, Open, path=lambda path: path.startswith("/tmp/new\nline")).event
    assert isinstance(event, Open)
    assert to_bytes(event.file.path) == b"/tmp/new\nline\x1b[31m\xff\\"


def test_two_folders_of_one_filesystem_have_the_names_of_their_mounts(agent: Sight, a_box: MakeNamedBox, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_text(name)
    box = a_box("plain", mounts=tuple(Mount(str(tmp_path / name), f"/mnt/{name}") for name in ("a", "b")))
    for name in ("a", "b"):
        box.attack("open", f"/mnt/{name}/same")
        assert opened(agent, box, f"/mnt/{name}/same").file.layer is Layer.VOLUME


@pytest.mark.parametrize(
    ("path", "layer"), [("/proc/meminfo", Layer.PROC), ("/proc/self/stat", Layer.PROC_SELF), ("/proc/1/stat", Layer.PROC_OTHER)]
)
def test_a_process_s_own_folder_is_told_from_another_s(agent: Sight, plain: Box, path: str, layer: Layer) -> None:
    plain.attack("open", path)
    event = agent.sees(plain, Open, layer=layer, program="/usr/bin/attack").event
    assert isinstance(event, Open)
    assert event.file.path.rpartition("/")[2] == path.rpartition("/")[2]


def test_a_shortcut_to_another_process_s_root_leads_to_the_real_file(agent: Sight, plain: Box) -> None:
    plain.attack("open", "/proc/self/root/data/d16/f1600")
    assert opened(agent, plain, "/data/d16/f1600").file.layer is Layer.IMAGE
