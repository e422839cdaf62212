"""Every way to change a file without an open is seen: the operation, the names before and after, who did it."""

import pytest

from model.event import Flag, Layer, Operation, Session
from tests.sensor_change.watched import Said, Watched, proven, said

OP = Operation
# verb, its arguments, what is said; a and b are two files of the container
CASES: list[tuple[str, tuple[str, ...], list[Said]]] = [
    ("rename", ("a", "c"), [(OP.RENAME, "a", "c")]),
    ("rename", ("a", "b"), [(OP.RENAME, "a", "b")]),
    ("renameat", ("a", "sub/c"), [(OP.RENAME, "a", "sub/c")]),
    ("rename", ("sub", "sub2"), [(OP.RENAME, "sub", "sub2")]),
    ("exchange", ("a", "b"), [(OP.RENAME, "a", "b"), (OP.RENAME, "b", "a")]),
    ("link", ("a", "c"), [(OP.LINK, "a", "c")]),
    ("symlink", ("anything", "c"), [(OP.SYMLINK, "c", None)]),
    ("unlink", ("a",), [(OP.UNLINK, "a", None)]),
    ("unlinkat", ("a",), [(OP.UNLINK, "a", None)]),
    ("rmdir", ("sub",), [(OP.RMDIR, "sub", None)]),
    ("mkdir", ("c",), [(OP.MKDIR, "c", None)]),
    ("truncate", ("a", "1"), [(OP.TRUNCATE, "a", None)]),
    ("ftruncate", ("a", "1"), [(OP.TRUNCATE, "a", None)]),
    ("chmod", ("a", "0600"), [(OP.CHMOD, "a", None)]),
    ("fchmod", ("a", "0600"), [(OP.CHMOD, "a", None)]),
    ("fchmodat", ("a", "0600"), [(OP.CHMOD, "a", None)]),
    ("fchmodat2", ("a", "0600"), [(OP.CHMOD, "a", None)]),
    ("chown", ("a", "7"), [(OP.CHOWN, "a", None)]),
    ("fchownat", ("a", "7"), [(OP.CHOWN, "a", None)]),
    ("mknod", ("c",), [(OP.MKNOD, "c", None)]),
    ("mkfifo", ("c",), [(OP.MKNOD, "c", None)]),
    ("setxattr", ("a",), [(OP.XATTR, "a", None)]),
    ("setcap", ("a",), [(OP.XATTR, "a", None)]),
    ("int80-rename", ("a", "c"), [(OP.RENAME, "a", "c")]),
    ("int80-unlink", ("a",), [(OP.UNLINK, "a", None)]),
    ("int80-chmod", ("a", "0600"), [(OP.CHMOD, "a", None)]),
    ("uring-unlink", ("a",), [(OP.UNLINK, "a", None)]),
    ("uring-rename", ("a", "c"), [(OP.RENAME, "a", "c")]),
    ("uring-link", ("a", "c"), [(OP.LINK, "a", "c")]),
    ("uring-symlink", ("anything", "c"), [(OP.SYMLINK, "c", None)]),
    ("uring-mkdir", ("c",), [(OP.MKDIR, "c", None)]),
]
PLACES = {"/opt": Layer.WRITABLE, "/vol": Layer.VOLUME, "/dev/shm": Layer.TMPFS}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("verb", "arguments", "expected"), CASES, ids=[" ".join((it[0], *it[1])) for it in CASES])
def test_a_change_is_seen_with_its_names(
    box: Watched, place: str, verb: str, arguments: tuple[str, ...], expected: list[Said], request: pytest.FixtureRequest
) -> None:
    folder = f"{place}/{abs(hash(request.node.name)):x}"
    box.shell(f"mkdir -p {folder}/sub; echo data >{folder}/a; echo data >{folder}/b")
    words = [f"{folder}/{it}" if it in ("a", "b", "c") or it.startswith("sub") else it for it in arguments]
    changes = box.does(verb, *words)
    full = [(operation, f"{folder}/{before}", after and f"{folder}/{after}") for operation, before, after in expected]
    assert sorted(said(changes)) == sorted(full)
    assert all(proven(it) and it.file.layer is PLACES[place] for it in changes)
    assert {it.actor.session for it in changes} == {Session.EXEC}
    assert {it.actor.comm.startswith(("attack", "iou-wrk")) for it in changes} == {True}
    ways = {"int80": Flag.COMPAT, "uring": Flag.URING}
    assert {it.file.flags for it in changes} == {ways.get(verb.partition("-")[0], Flag(0))}


def test_a_mode_that_sets_user_ids_is_news_for_a_file_whose_mode_changed_before(box: Watched) -> None:
    box.host_file("/opt/mode")
    (plain,) = box.does("chmod", "/opt/mode", "0755")
    (setting,) = box.does("chmod", "/opt/mode", "04755")
    assert (plain.mode & 0o7777, setting.mode & 0o7777) == (0o755, 0o4755)
    assert box.does("chmod", "/opt/mode", "04755") == []


def test_the_owner_is_told_as_it_is_afterwards(box: Watched) -> None:
    box.host_file("/opt/owned")
    assert [it.owner for it in box.does("chown", "/opt/owned", "1234")] == [1234]


def test_a_file_that_never_had_a_name_gets_one(box: Watched) -> None:
    (change,) = box.does("link-tmpfile", "/tmp/named")
    assert change.operation is OP.LINK
    assert change.target is not None
    assert change.target.path == "/tmp/named"


def test_what_failed_changed_nothing(box: Watched) -> None:
    assert box.shell("mkdir /opt; rmdir /etc; mv /opt/absent /opt/b; ln /etc/hosts /dev/shm/x; true") == []


def test_a_rename_onto_itself_is_none(box: Watched) -> None:
    box.host_file("/opt/same")
    assert box.does("rename", "/opt/same", "/opt/same") == []
