"""What the programs in a box do. `python deeds.py NAME ARGUMENTS` runs one of them; the arguments are a Python tuple."""

import ast
import contextlib
import ctypes
import ipaddress
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_QUERY = b"\x12\x34\1\0\0\1" + bytes(6)
_ANSWER = b"\x12\x34\x81\x80\0\1"
_QUESTION = b"\3www\7example\3org\0" + b"\0\1" + b"\0\1"
_RECORD = b"\xc0\x0c" + b"\0\1" + b"\0\1" + b"\0\0\0\x3c" + b"\0\4"
_INT80 = bytes.fromhex("5389f889f387d1cd805bc3")  # push rbx; eax, ebx = edi, esi; swap ecx, edx; int 0x80; pop rbx; ret
_MAP_32BIT = 0x40
_MPTCP = 262


def connect(address: str, port: int, times: int) -> None:
    for _ in range(times):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.connect_ex((address, port))


def connect_from_four(port: int, times: int) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            connect("127.0.0.1", port, times)
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)


def connect_and_give_up(address: str) -> None:
    with socket.socket() as sock, contextlib.suppress(BlockingIOError):
        sock.setblocking(False)
        sock.connect((address, 80))


def connect_and_be_killed(address: str) -> None:
    child = os.fork()
    if not child:
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.connect_ex((address, 80))
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def connect_by_mptcp(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP) as sock:
        sock.connect(("127.0.0.1", port))


def serve(port: int, times: int, family: int) -> None:
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((address, port), family=family, backlog=64) as server:
        for _ in range(times):
            with socket.create_connection((address, port)):
                server.accept()[0].close()


def send_again(times: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(times):
            sock.sendto(b"x", ("127.0.0.1", 9))


def send_to_each(first: str, count: int, port: int, step: int = 1) -> None:
    """A datagram to each of `count` addresses."""
    address = ipaddress.ip_address(first)
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(count):
            sock.sendto(b"x", (str(address + number * step), port))


def bind_without_a_say() -> None:
    for kind, port in ((socket.SOCK_DGRAM, 0), (socket.SOCK_STREAM, 5454)):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.bind(("127.0.0.1", port))


def make(family: int, kind: int, protocol: int, times: int = 1) -> None:
    for _ in range(times):
        socket.socket(family, kind, protocol).close()


def make_each(count: int) -> None:
    for protocol in range(1, count + 1):
        make(socket.AF_INET, socket.SOCK_RAW, protocol)


def make_the_usual() -> None:
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            make(family, kind, 0)


def make_in_vain(family: int) -> None:
    with contextlib.suppress(OSError):
        make(family, socket.SOCK_STREAM, 0)


def make_by_int80(family: int, kind: int, protocol: int) -> None:
    code = mmap.mmap(-1, 4096, prot=7)
    assert _int80(code)(359, family, kind, protocol) >= 0


def _int80(code: mmap.mmap) -> Callable[..., int]:
    """A 32-bit system call, as a function that lies in this memory."""
    code[: len(_INT80)] = _INT80
    call: Callable[..., int] = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint32] * 4)(_address(code))
    return call


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def serve_and_connect(path: str, kind: int, times: int) -> None:
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
        if kind != socket.SOCK_DGRAM:
            server.listen(64)
        for _ in range(times):
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.connect(path)
            if kind != socket.SOCK_DGRAM:
                server.accept()[0].close()


def connect_through_a_link(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        link = Path(f"{path}.harmless")
        link.symlink_to(path)
        client.connect(str(link))


def connect_abstract(name: bytes, times: int) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0" + name)
        server.listen(64)
        for _ in range(times):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(b"\0" + name)
            server.accept()[0].close()


def connect_in_vain(path: str, bound: bool) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        if bound:
            server.bind(path)
        assert client.connect_ex(path)


def connect_by_int80(path: str, by_socketcall: bool) -> None:
    low = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT, prot=7)
    call, name, at = _int80(low), _unix_address(path), _address(low)
    low[4096 : 4096 + len(name)] = name
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        arguments = (client.fileno(), at + 4096, len(name))
        low[6000:6012] = b"".join(value.to_bytes(4, "little") for value in arguments)
        assert (call(102, 3, at + 6000, 0) if by_socketcall else call(362, *arguments)) == 0


def _unix_address(path: str) -> bytes:
    return socket.AF_UNIX.to_bytes(2, "little") + path.encode() + b"\0"


def send_by_name(path: str, times: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        server.bind(path)
        for _ in range(times):
            client.sendto(b"x", path)
            client.sendmsg([b"x"], [], 0, path)
            server.recv(1)
            server.recv(1)


class Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [
        ("name", ctypes.c_char_p), ("name_bytes", ctypes.c_uint32), ("parts", ctypes.c_void_p), ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("control_bytes", ctypes.c_size_t), ("flags", ctypes.c_size_t), ("sent", ctypes.c_size_t),
    ]  # fmt: skip


def send_many(path: str) -> None:
    messages = (Message * 3)()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, contextlib.ExitStack() as servers:
        for number, message in enumerate(messages):
            servers.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(f"{path}{number}")
            message.name = name = _unix_address(f"{path}{number}")
            message.name_bytes = len(name)
        assert ctypes.CDLL(None).sendmmsg(client.fileno(), messages, len(messages), 0) == len(messages)


def talk_on_a_connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"x")
        ours.sendmsg([b"x"])
        theirs.recv(2)


def ask(address: str, kind: int, answers: int, reply: bool) -> None:
    """Ask a server in the same process for www.example.org; it answers with so many addresses."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as server, socket.socket(family, kind) as client:
        server.bind((address, 53))
        if kind == socket.SOCK_STREAM:
            server.listen()
        client.connect((address, 53))
        client.sendall(_led(kind, _QUERY + _QUESTION))
        if reply:
            _reply(server, kind, answers)
            client.recv(65535)


def _led(kind: int, message: bytes) -> bytes:
    """On TCP its length goes before a message."""
    return len(message).to_bytes(2, "big") + message if kind == socket.SOCK_STREAM else message


def _reply(server: socket.socket, kind: int, answers: int) -> None:
    records = b"".join(_RECORD + bytes([192, 0, number >> 8, number & 255]) for number in range(answers))
    answer = _ANSWER + answers.to_bytes(2, "big") + bytes(4) + _QUESTION + records
    if kind == socket.SOCK_DGRAM:
        server.sendto(answer, server.recvfrom(4096)[1])
        return
    with server.accept()[0] as accepted:
        accepted.recv(4096)
        accepted.sendall(_led(kind, answer))


def chat(port: int) -> None:
    """Datagrams on port 53 that are no DNS, and DNS on another port."""
    query = _QUERY + _QUESTION
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 53))
        for text in (b"", b"x", bytes(11), bytes(600)):
            client.sendto(text, ("127.0.0.1", 53))
        client.sendto(query[:2] + b"\x81" + query[3:], ("127.0.0.1", 53))
        client.sendto(query, ("127.0.0.1", port))


def flood(times: int) -> None:
    """Queries that nobody reads."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 53))
        client.connect(("127.0.0.1", 53))
        for _ in range(times):
            client.send(_QUERY + _QUESTION)


if __name__ == "__main__":
    globals()[sys.argv[1]](*ast.literal_eval(sys.argv[2]))
