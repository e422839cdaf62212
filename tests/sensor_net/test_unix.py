"""AF_UNIX: the peer's file is looked at as every file is; where the kernel does not know it, the string is marked as claimed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from model.event import Flag, Unix
from model.text import from_bytes
from tests.sensor_net.peers import Peers

NO_ENTRY, REFUSED = 2, 111


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "socket")


def serve_and_connect(path: str, kind: int, times: int) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
        if kind != socket.SOCK_DGRAM:
            server.listen(64)
        for _ in range(times):
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.connect(path)
            if kind != socket.SOCK_DGRAM:
                server.accept()[0].close()


@pytest.mark.parametrize("kind", [1, 2, 5], ids=["stream", "datagram", "sequence"])
def test_a_connection_is_told_by_the_peers_file(box: Peers, path: str, kind: int) -> None:
    box.do(serve_and_connect, path, kind, 1)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path.endswith("/socket"), event.file.inode, event.file.flags) == (True, Path(path).stat().st_ino, Flag(0))
    assert (event.result, event.abstract) == (0, "")


def test_repeats_are_one_event_and_an_exact_count(box: Peers, path: str) -> None:
    box.do(serve_and_connect, path, 1, 200)
    (event,) = box.saw(Unix)
    assert box.count(event) == 200


def connect_through_a_link(path: str) -> None:
    import os
    import socket

    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        os.symlink(path, path + ".harmless")
        client.connect(path + ".harmless")


def test_another_name_for_it_is_no_disguise(box: Peers, path: str) -> None:
    box.do(connect_through_a_link, path)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert event.file.path.endswith("/socket")


def connect_abstract(name: bytes, times: int) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0" + name)
        server.listen(64)
        for _ in range(times):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(b"\0" + name)
            server.accept()[0].close()


@pytest.mark.parametrize("name", [b"a", b"containerd-shim/4711", b"x" * 107], ids=["one byte", "usual", "longest"])
def test_an_abstract_name_is_told_exactly(box: Peers, name: bytes) -> None:
    box.do(connect_abstract, name, 3)
    (event,) = box.saw(Unix)
    assert (event.abstract, event.file, box.count(event)) == (name.decode(), None, 3)


def test_an_abstract_name_may_hold_any_byte(box: Peers) -> None:
    box.do(connect_abstract, b"a\0b\xff", 1)
    assert [event.abstract for event in box.saw(Unix)] == [from_bytes(b"a\0b\xff")]


def connect_in_vain(path: str, bound: bool) -> None:
    import socket

    if bound:
        socket.socket(socket.AF_UNIX).bind(path)
    with socket.socket(socket.AF_UNIX) as client:
        assert client.connect_ex(path)


@pytest.mark.parametrize(("bound", "result"), [(False, NO_ENTRY), (True, REFUSED)], ids=["no such file", "nobody listens"])
def test_a_failed_connection_is_told_by_the_programs_words(box: Peers, path: str, bound: bool, result: int) -> None:
    box.do(connect_in_vain, path, bound)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path, event.file.flags, event.result) == (path, Flag.CLAIMED, result)


def send_by_name(path: str, times: int) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        server.bind(path)
        for _ in range(times):
            client.sendto(b"x", path)
            client.sendmsg([b"x"], [], 0, path)
            server.recv(1)
            server.recv(1)


def test_datagrams_sent_by_name_are_told_as_claimed(box: Peers, path: str) -> None:
    box.do(send_by_name, path, 10)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.path, event.file.flags, event.result, box.count(event)) == (path, Flag.CLAIMED, 0, 20)


def send_many(path: str) -> None:
    import ctypes
    import socket

    class Message(ctypes.Structure):
        _fields_ = [
            ("name", ctypes.c_char_p), ("name_bytes", ctypes.c_uint32), ("parts", ctypes.c_void_p),
            ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_bytes", ctypes.c_size_t), ("flags", ctypes.c_size_t),
            ("sent", ctypes.c_size_t),
        ]  # fmt: skip

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        servers = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3)]
        messages = (Message * 3)()
        for number, server in enumerate(servers):
            server.bind(f"{path}{number}")
            name = b"\1\0" + f"{path}{number}".encode() + b"\0"
            messages[number].name, messages[number].name_bytes = name, len(name)
        library = ctypes.CDLL(None)
        assert library.sendmmsg(client.fileno(), messages, 3, 0) == 3


def test_each_message_of_one_call_is_told(box: Peers, path: str) -> None:
    box.do(send_many, path)
    assert [event.file.path for event in box.saw(Unix) if event.file] == [f"{path}{number}" for number in range(3)]


def talk_on_a_connection() -> None:
    import socket

    ours, theirs = socket.socketpair()
    ours.sendall(b"x")
    ours.sendmsg([b"x"])
    theirs.recv(2)


def test_what_has_no_name_is_no_news(box: Peers) -> None:
    box.do(talk_on_a_connection)
    assert box.saw(Unix) == []


def connect_by_int80(path: str, by_socketcall: bool) -> None:
    import ctypes
    import mmap
    import socket

    low = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)  # MAP_32BIT
    at = ctypes.addressof(ctypes.c_char.from_buffer(low))
    low[:11] = bytes.fromhex("5389f889f387d1cd805bc3")  # push rbx; eax, ebx = edi, esi; swap ecx, edx; int 0x80; pop rbx; ret
    call = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint32] * 4)(at)
    address = b"\1\0" + path.encode() + b"\0"
    low[4096 : 4096 + len(address)] = address
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        arguments = (client.fileno(), at + 4096, len(address))
        if by_socketcall:
            low[6000:6012] = b"".join(value.to_bytes(4, "little") for value in arguments)
            assert call(102, 3, at + 6000, 0) == 0
        else:
            assert call(362, *arguments) == 0


@pytest.mark.parametrize("by_socketcall", [True, False], ids=["socketcall", "connect"])
def test_a_32_bit_call_is_no_way_around(box: Peers, path: str, by_socketcall: bool) -> None:
    box.do(connect_by_int80, path, by_socketcall)
    (event,) = box.saw(Unix)
    assert event.file is not None
    assert (event.file.inode, event.file.flags) == (Path(path).stat().st_ino, Flag.COMPAT)


def test_a_guarded_socket_is_told_beyond_every_budget(box: Peers, path: str) -> None:
    box.do(serve_and_connect, path, 1, 1)
    (event,) = box.saw(Unix)
    key = dict(zip(layout.FLOW_KEY_FIELDS, layout.FLOW_KEY.unpack(event.flow), strict=True))
    box.bench.flows.allow(box.cgroup, layout.KIND_UNIX, Allowance(0, 0, 0))
    box.bench.flows.allow(box.cgroup, layout.KIND_MANY, Allowance(0, 0, 0))
    Path(path).unlink()
    box.do(serve_and_connect, path, 1, 5)
    assert len(box.saw(Unix)) == 1
    assert box.total(layout.KIND_UNIX) == 6
    box.bench.flows.guard_file(box.cgroup, key["names"], key["dev"])
    Path(path).unlink()
    box.do(serve_and_connect, path, 1, 5)
    assert len(box.saw(Unix)) == 6
