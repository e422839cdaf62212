"""A change to a file's name, mode, owner or place is a record by the file that was changed, whatever call made it."""

from itertools import count
from typing import Any

import pytest

from model.event import Change, Flag, Layer, Operation
from tests.agent.sight import Sight
from tests.containers.runc import Box

NUMBERS = count()
RENAME, LINK, SYMLINK, UNLINK = Operation.RENAME, Operation.LINK, Operation.SYMLINK, Operation.UNLINK
# Verb, operation, flags. {0} is a file that is there, {1} a name that is free.
TWO_NAMES = (
    ("rename {0} {1}", RENAME, Flag(0)),
    ("renameat {0} {1}", RENAME, Flag(0)),
    ("uring-rename {0} {1}", RENAME, Flag.URING),
    ("int80-rename {0} {1}", RENAME, Flag.COMPAT),
    ("link {0} {1}", LINK, Flag(0)),
    ("uring-link {0} {1}", LINK, Flag.URING),
)
ONE_NAME = (
    ("unlink {0}", UNLINK, Flag(0)),
    ("unlinkat {0}", UNLINK, Flag(0)),
    ("uring-unlink {0}", UNLINK, Flag.URING),
    ("int80-unlink {0}", UNLINK, Flag.COMPAT),
    ("truncate {0} 1", Operation.TRUNCATE, Flag(0)),
    ("ftruncate {0} 1", Operation.TRUNCATE, Flag(0)),
    ("setxattr {0}", Operation.XATTR, Flag(0)),
    ("setcap {0}", Operation.XATTR, Flag(0)),
)
MODES = ("chmod", "fchmod", "fchmodat", "fchmodat2", "int80-chmod")
MADE = (
    ("mkdir {0}", Operation.MKDIR, Flag(0)),
    ("uring-mkdir {0}", Operation.MKDIR, Flag.URING),
    ("symlink /etc/secret {0}", SYMLINK, Flag(0)),
    ("uring-symlink /etc/secret {0}", SYMLINK, Flag.URING),
    ("mknod {0}", Operation.MKNOD, Flag(0)),
    ("mkfifo {0}", Operation.MKNOD, Flag(0)),
)


def changed(agent: Sight, box: Box, operation: Operation, path: str, **conditions: Any) -> Change:
    event = agent.sees(box, Change, operation=operation, path=path, **conditions).event
    assert isinstance(event, Change)
    return event


def a_file(box: Box) -> str:
    path = f"/opt/file-{next(NUMBERS)}"
    box.exec("sh", "-c", f"echo content > {path}")
    return path


@pytest.mark.parametrize(("command", "operation", "flag"), TWO_NAMES, ids=lambda one: str(one).split(" ", maxsplit=1)[0])
def test_of_a_rename_and_a_link_both_names_are_known(
    agent: Sight, mighty: Box, command: str, operation: Operation, flag: Flag
) -> None:
    path = a_file(mighty)
    mighty.attack(*command.format(path, f"{path}-new").split())
    event = changed(agent, mighty, operation, path)
    assert event.target is not None
    assert (event.target.path, event.file.flags) == (f"{path}-new", flag)
    assert event.file.layer is event.target.layer is Layer.WRITABLE


@pytest.mark.parametrize(("command", "operation", "flag"), ONE_NAME, ids=lambda one: str(one).split(" ", maxsplit=1)[0])
def test_a_file_that_is_changed_or_removed_is_named(
    agent: Sight, mighty: Box, command: str, operation: Operation, flag: Flag
) -> None:
    path = a_file(mighty)
    mighty.attack(*command.format(path).split())
    event = changed(agent, mighty, operation, path)
    assert (event.file.layer, event.file.flags, event.target) == (Layer.WRITABLE, flag, None)


@pytest.mark.parametrize("verb", MODES)
def test_a_mode_is_recorded_with_its_set_user_id_bit(agent: Sight, mighty: Box, verb: str) -> None:
    path = a_file(mighty)
    mighty.attack(verb, path, "04755")
    assert changed(agent, mighty, Operation.CHMOD, path).mode & 0o7777 == 0o4755


@pytest.mark.parametrize("verb", ["chown", "fchownat"])
def test_an_owner_is_recorded(agent: Sight, mighty: Box, verb: str) -> None:
    path = a_file(mighty)
    mighty.attack(verb, path, "1000")
    assert changed(agent, mighty, Operation.CHOWN, path).owner == 1000


@pytest.mark.parametrize(("command", "operation", "flag"), MADE, ids=lambda one: str(one).split(" ", maxsplit=1)[0])
def test_what_is_made_is_named_as_it_is_then(agent: Sight, mighty: Box, command: str, operation: Operation, flag: Flag) -> None:
    path = f"/opt/made-{next(NUMBERS)}"
    mighty.attack(*command.format(path).split())
    event = changed(agent, mighty, operation, path)
    assert (event.file.layer, event.file.flags) == (Layer.WRITABLE, flag)


def test_a_name_for_a_file_that_had_none(agent: Sight, mighty: Box) -> None:
    mighty.attack("link-tmpfile", "/opt/named")
    event = agent.sees(mighty, Change, operation=LINK, target=lambda file: file is not None and file.path == "/opt/named").event
    assert isinstance(event, Change)
    assert event.file.path.startswith("/tmp/#")


def test_a_folder_is_removed(agent: Sight, mighty: Box) -> None:
    mighty.attack("mkdir", "/opt/folder")
    mighty.attack("rmdir", "/opt/folder")
    assert changed(agent, mighty, Operation.RMDIR, "/opt/folder").target is None


def test_two_files_change_places(agent: Sight, mighty: Box) -> None:
    first, second = a_file(mighty), a_file(mighty)
    mighty.attack("exchange", first, second)
    event = agent.sees(mighty, Change, operation=RENAME, path=lambda path: path in (first, second)).event
    assert isinstance(event, Change)
    assert event.target is not None
    assert {event.file.path, event.target.path} == {first, second}


def test_another_goal_of_the_same_file_is_another_rename(agent: Sight, mighty: Box) -> None:
    path = a_file(mighty)
    for goal in ("/tmp/harmless", "/etc/harmful"):
        mighty.attack("rename", path, goal)
        mighty.attack("rename", goal, path)
    agent.settled(mighty)
    events = [one.event for one in agent.records(mighty, Change, operation=RENAME, path=path)]
    assert {event.target.path for event in events if isinstance(event, Change) and event.target} == {
        "/tmp/harmless",
        "/etc/harmful",
    }


def test_a_file_of_the_image_is_named_when_it_is_removed(agent: Sight, mighty: Box) -> None:
    mighty.attack("unlink", "/data/d15/f1500")
    assert changed(agent, mighty, UNLINK, "/data/d15/f1500").file.layer is Layer.IMAGE


@pytest.mark.parametrize(
    ("command", "source"),
    [("mount tmpfs /mnt", ("/", Layer.NEW_MOUNT)), ("mount /usr/lib /mnt", ("/usr/lib", Layer.IMAGE))],
)
def test_a_mount_is_a_change_of_the_place_where_it_comes(
    agent: Sight, mighty: Box, command: str, source: tuple[str, Layer]
) -> None:
    mighty.attack(*command.split())
    mighty.attack("umount", "/mnt")
    event = changed(agent, mighty, Operation.MOUNT, source[0], layer=source[1])
    assert event.target is not None
    assert event.target.path == "/mnt"


def test_the_newer_calls_mount_too(agent: Sight, mighty: Box) -> None:
    mighty.attack("move-mount", "/data", "/mnt")
    mighty.attack("umount", "/mnt")
    event = changed(agent, mighty, Operation.MOUNT, "/data")
    assert event.target is not None
    assert event.target.path == "/mnt"


def test_an_unmount_is_recorded(agent: Sight, mighty: Box) -> None:
    mighty.exec("mkdir", "-p", "/opt/mounted")
    mighty.attack("mount", "tmpfs", "/opt/mounted")
    mighty.attack("umount", "/opt/mounted")
    changed(agent, mighty, Operation.UNMOUNT, "/opt/mounted")
