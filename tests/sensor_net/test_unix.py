"""AF_UNIX: the peer's file is looked at as every file is; where the kernel does not know it, the string is marked as claimed."""

from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from model.event import Flag, Unix
from model.text import from_bytes
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers

NO_ENTRY, REFUSED = 2, 111


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


@pytest.mark.parametrize("kind", [1, 2, 5], ids=["stream", "datagram", "sequence"])
def test_a_connection_is_told_by_the_peers_file(box: Peers, path: str, kind: int) -> None:
    box.do(deeds.serve_and_connect, path, kind, 1)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path.endswith("/socket"), event.file.inode, event.file.flags) == (True, Path(path).stat().st_ino, Flag(0))
    assert (event.result, event.abstract) == (0, "")


def test_repeats_are_one_event_and_an_exact_count(box: Peers, path: str) -> None:
    box.do(deeds.serve_and_connect, path, 1, 200)
    (event,) = box.saw(Unix)
    assert box.count(event) == 200


def test_another_name_for_it_is_no_disguise(box: Peers, path: str) -> None:
    box.do(deeds.connect_through_a_link, path)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert event.file.path.endswith("/socket")


@pytest.mark.parametrize("name", [b"a", b"containerd-shim/4711", b"x" * 107], ids=["one byte", "usual", "longest"])
def test_an_abstract_name_is_told_exactly(box: Peers, name: bytes) -> None:
    box.do(deeds.connect_abstract, name, 3)
    (event,) = box.saw(Unix)
    assert (event.abstract, event.file, box.count(event)) == (name.decode(), None, 3)


def test_an_abstract_name_may_hold_any_byte(box: Peers) -> None:
    box.do(deeds.connect_abstract, b"a\0b\xff", 1)
    assert [event.abstract for event in box.saw(Unix)] == [from_bytes(b"a\0b\xff")]


@pytest.mark.parametrize(("bound", "result"), [(False, NO_ENTRY), (True, REFUSED)], ids=["no such file", "nobody listens"])
def test_a_failed_connection_is_told_by_the_programs_words(box: Peers, path: str, bound: bool, result: int) -> None:
    box.do(deeds.connect_in_vain, path, bound)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path, event.file.flags, event.result) == (path, Flag.CLAIMED, result)


def test_datagrams_sent_by_name_are_told_as_claimed(box: Peers, path: str) -> None:
    box.do(deeds.send_by_name, path, 10)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path, event.file.flags, event.result, box.count(event)) == (path, Flag.CLAIMED, 0, 20)


def test_each_message_of_one_call_is_told(box: Peers, path: str) -> None:
    box.do(deeds.send_many, path)
    assert [event.file.path for event in box.saw(Unix) if event.file] == [f"{path}{number}" for number in range(3)]


def test_what_has_no_name_is_no_news(box: Peers) -> None:
    box.do(deeds.talk_on_a_connection)
    assert box.saw(Unix) == []


@pytest.mark.parametrize("by_socketcall", [True, False], ids=["socketcall", "connect"])
def test_a_32_bit_call_is_no_way_around(box: Peers, path: str, by_socketcall: bool) -> None:
    box.do(deeds.connect_by_int80, path, by_socketcall)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.inode, event.file.flags) == (Path(path).stat().st_ino, Flag.COMPAT)


def test_io_uring_is_no_way_around(box: Peers, attack: str, path: str) -> None:
    box.run(attack, "unix-uring", path)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.inode, event.file.flags, event.result) == (Path(path).stat().st_ino, Flag.URING, 0)


def test_a_guarded_socket_is_told_beyond_every_budget(box: Peers, path: str) -> None:
    box.do(deeds.serve_and_connect, path, 1, 1)
    (event,) = box.saw(Unix)
    key = dict(zip(layout.FLOW_KEY_FIELDS, layout.FLOW_KEY.unpack(event.flow), strict=True))
    box.bench.flows.allow(box.cgroup, layout.KIND_UNIX, Allowance(0, 0, 0))
    box.bench.flows.allow(box.cgroup, layout.KIND_MANY, Allowance(0, 0, 0))
    Path(path).unlink()
    box.do(deeds.serve_and_connect, path, 1, 5)
    assert len(box.saw(Unix)) == 1
    assert box.total(layout.KIND_UNIX) == 6
    box.bench.flows.guard_file(box.cgroup, key["names"], key["dev"])
    Path(path).unlink()
    box.do(deeds.serve_and_connect, path, 1, 5)
    assert len(box.saw(Unix)) == 6
