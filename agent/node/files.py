"""What is read of a container's files. Runs in a process of its own, which may hang or be killed at any moment.

This file is also that process's program: `python -I -S files.py FD` takes one request a message from a socket and answers
each with one. It imports the standard library alone, so it starts in 20 ms and stays small.

A container chooses what lies behind a name: a FIFO, a device, a file of a filesystem that never answers, a link to a file of
the host. So a file is first opened for nothing but its identity (O_PATH), without following any link, compared with what
the kernel reported, and only then opened for reading; and compared again after it was read.
"""

import ctypes
import hashlib
import json
import os
import signal
import socket
import stat
import struct
import sys
from typing import Any, NamedTuple

MESSAGE = 160 << 10  # bytes of one answer; the socket's buffer holds it
CMDLINE = 8 << 10
MOUNTINFO = 128 << 10
_HEADER = struct.Struct("<QB")
_CHUNK = 1 << 20
_OPENAT2 = 437
_NO_SYMLINKS, _NO_MAGICLINKS, _BENEATH = 0x04, 0x02, 0x08
_PR_SET_PDEATHSIG = 1
_INODE_BITS = (1 << 56) - 1  # overlayfs keeps the number of the layer in the highest bits (xino)


class NotThatFileError(Exception):
    """The name leads to another file than the one that the kernel reported, or the file changed while it was read."""


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Identity(NamedTuple):
    """A file as the kernel reported it."""

    devices: list[int]  # as stat gives them: that of the filesystem, or of the layer below it
    inode: int
    ctime_ns: int  # 0: not reported


def sha256(place: str, path: str, expected: Identity, limit: int) -> str:
    """The hash of exactly that file: `path` below the folder `place`, or `place` itself if `path` is empty.

    Raises NotThatFileError, or OSError: EFBIG above `limit` bytes.
    """
    handle = _open_below(place, path) if path else os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        size = _check(handle, expected)
        if size > limit:
            raise OSError(27, "more bytes than the limit")
        return _hash_open(handle, expected, limit)
    finally:
        os.close(handle)


def head(path: str, limit: int) -> bytes:
    """The first bytes of a file below /proc."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        pieces, left = [], limit
        while left and (piece := os.read(fd, left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def answer(request: dict[str, Any]) -> bytes:
    """What a request asks for, or an exception."""
    match request["do"]:
        case "sha256":
            return _first_that_is(request).encode()
        case "cmdline":
            return head(f"{request['proc']}/{request['pid']}/cmdline", CMDLINE)
        case "mountinfo":
            return head(f"{request['proc']}/{request['pid']}/mountinfo", MOUNTINFO)
        case other:
            raise ValueError(f"unknown request {other!r}")


def _first_that_is(request: dict[str, Any]) -> str:
    """Try each place in turn: the process may be gone, or run another program by now."""
    problem: Exception = NotThatFileError("no place to look")
    expected = Identity(request["devices"], request["inode"], request["ctime_ns"])
    for place, path in request["places"]:
        try:
            return sha256(place, path, expected, request["limit"])
        except (OSError, NotThatFileError) as error:
            problem = error
    raise problem


def _open_below(place: str, path: str) -> int:
    """A handle of the file, for nothing but looking at it; links anywhere in the path are refused."""
    folder = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _How(os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, 0, _NO_SYMLINKS | _NO_MAGICLINKS | _BENEATH)
        libc = ctypes.CDLL(None, use_errno=True)
        raw = os.fsencode(path).lstrip(b"/")
        handle: int = libc.syscall(_OPENAT2, folder, ctypes.c_char_p(raw), ctypes.byref(how), ctypes.sizeof(how))
        if handle < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return handle
    finally:
        os.close(folder)


def _hash_open(handle: int, expected: Identity, limit: int) -> str:
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole, left = hashlib.sha256(), limit + 1
        while left and (piece := os.read(fd, min(_CHUNK, left))):
            whole.update(piece)
            left -= len(piece)
        if not left:
            raise OSError(27, "more bytes than the limit")
        _check(fd, expected)
        return whole.hexdigest()
    finally:
        os.close(fd)


def _check(fd: int, expected: Identity) -> int:
    """The size of what is open, if it is a plain file and the one that is meant.

    The device counts too: a filesystem of the workload's own (FUSE) can show any inode number and any time.
    """
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise NotThatFileError("not a plain file")
    if found.st_dev not in expected.devices or found.st_ino & _INODE_BITS != expected.inode & _INODE_BITS:
        raise NotThatFileError("another file")
    if expected.ctime_ns and found.st_ctime_ns != expected.ctime_ns:
        raise NotThatFileError("changed")
    return found.st_size


def _serve(channel: socket.socket) -> None:
    while request := channel.recv(MESSAGE):
        message: dict[str, Any] = json.loads(request)
        try:
            status, content = 0, answer(message)
        except Exception as error:  # noqa: BLE001 - whatever a file does, the answer is that it can't be read
            status, content = 1, f"{error.__class__.__name__}: {error}".encode(errors="replace")
        channel.send(_HEADER.pack(message["id"], status) + content[:MESSAGE])


def _main() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # the agent ended before the kernel knew that we want to end with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is sent to all on the terminal: the agent ends us when it is done
    os.nice(5)
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    _main()
