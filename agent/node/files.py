"""What is read of a container's files. Runs in a process of its own, which may hang or be killed at any moment.

`main` is that process's program: it takes one request a message from a socket and answers each with one. This file and what it
imports use the standard library alone, so the process starts in 20 ms and stays small.

A container chooses what lies behind a name: a FIFO, a device, a file of a filesystem that never answers, a link to a file of
the host. So a file is first opened for nothing but its identity (O_PATH), without following any link, compared with what
the kernel reported, and only then opened for reading; and compared again after it was read.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import stat
import struct
import sys
from typing import Any, NamedTuple

from agent.node.resolve import find

MESSAGE = 160 << 10  # bytes of one answer; the socket's buffer holds it
CMDLINE = 8 << 10
MOUNTINFO = 128 << 10
_HEADER = struct.Struct("<QB")
_CHUNK = 1 << 20
_OPENAT2 = 437
_NO_SYMLINKS, _NO_MAGICLINKS, _BENEATH = 0x04, 0x02, 0x08
_PR_SET_PDEATHSIG = 1
_IOC_READ, _LONG, _FS, _VERSION = 2 << 30, struct.calcsize("l") << 16, ord("v") << 8, 1
_GETVERSION = _IOC_READ | _LONG | _FS | _VERSION  # FS_IOC_GETVERSION; writes an int, whatever its number says
_METACOPY = ("trusted.overlay.metacopy", "user.overlay.metacopy")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_LISTED = 4096  # entries of one folder that are looked at
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
            raise OSError(errno.EFBIG, "more bytes than the limit")
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


def layers(mountinfo: bytes, device: str) -> list[str]:
    """The lower folders of the overlay with this device (`0:52`), the highest first, as their runtime named them on the host.

    Empty if one of them is for data only (`::`): then a file's bytes may lie elsewhere than its name.
    """
    for line in mountinfo.splitlines():
        place, _, kind = line.partition(b" - ")
        fields, words = place.split(), kind.split()
        if len(fields) > 2 and fields[2] == device.encode() and len(words) > 2 and words[0] == b"overlay":
            values = [option[9:] for option in words[2].split(b",") if option.startswith(b"lowerdir=")]
            paths = [_plain(path) for value in values for path in value.split(b":")]
            return [] if b"" in paths else [os.fsdecode(path) for path in paths if path.startswith(b"/")]
    raise FileNotFoundError(errno.ENOENT, "no overlay of this device")


def programs(layer: str, path: str, names: int) -> list[tuple[str, int]]:
    """Name and size of the executable plain files in a folder of a layer: each inode once, at most so many.

    Also no more than one answer holds.
    """
    handle = _open_below(layer, path)
    try:
        fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    found: dict[int, tuple[str, int]] = {}
    room = MESSAGE
    try:
        with os.scandir(fd) as entries:
            for _, entry in zip(range(_LISTED), entries, strict=False):
                one = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(one.st_mode) and one.st_mode & 0o111:
                    found.setdefault(one.st_ino, (entry.name, one.st_size))
                    room -= 6 * len(entry.name) + 64  # as JSON, at most
                if len(found) >= names or room < MESSAGE // 8:
                    break
    finally:
        os.close(fd)
    return list(found.values())


def identified(layer: str, path: str, limit: int) -> dict[str, Any]:
    """The hash of a file of a layer, and all that the kernel will know it by. Raises as `sha256` does."""
    handle = _open_below(layer, path)
    try:
        found = os.fstat(handle)
        expected = Identity([found.st_dev], found.st_ino, found.st_ctime_ns)
        if _check(handle, expected) > limit:
            raise OSError(errno.EFBIG, "more bytes than the limit")
        generation = _generation(handle)
        device = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
        digest = _hash_open(handle, expected, limit)
    finally:
        os.close(handle)
    return {"id": (device, found.st_ino, generation, found.st_ctime_ns), "sha256": digest}


def resolved(folder: str, paths: list[str]) -> list[tuple[str, bool, int, int] | None]:
    """Where each path leads inside this root: `resolve.Found`. None where that can't be told.

    So with too many links, without the right to look, or without room in the answer: who fills the folder chooses how long the
    names are. Raises OSError where the folder itself can't be opened.
    """
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    room = MESSAGE - 64 * len(paths)
    try:
        answers = []
        for path in paths:
            found = _found(root, path)
            room -= len(json.dumps(found))
            answers.append(found if room > 0 else None)
        return answers
    finally:
        os.close(root)


def _found(root: int, path: str) -> tuple[str, bool, int, int] | None:
    try:
        return find(root, path)
    except OSError:
        return None


def answer(request: dict[str, Any]) -> bytes:
    """What a request asks for, or an exception."""
    match request["do"]:
        case "sha256":
            text = _first_that_is(request)
        case "layers":
            text = json.dumps(_layers_in_any(request["mountinfos"], request["device"]))
        case "programs":
            text = json.dumps(programs(request["layer"], request["path"], request["names"]))
        case "identified":
            text = json.dumps(identified(request["layer"], request["path"], request["limit"]))
        case "resolve":
            text = json.dumps(resolved(request["root"], request["paths"]))
        case "cmdline":
            return head(f"{request['proc']}/{request['pid']}/cmdline", CMDLINE)
        case "mountinfo":
            return head(f"{request['proc']}/{request['pid']}/mountinfo", MOUNTINFO)
        case other:
            raise ValueError(f"unknown request {other!r}")
    return text.encode()


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


def _layers_in_any(mountinfos: list[str], device: str) -> list[str]:
    """The process may be gone; the host often shows the same mount."""
    problem: OSError = FileNotFoundError(errno.ENOENT, "no mount table")
    for path in mountinfos:
        try:
            return layers(head(path, MOUNTINFO), device)
        except OSError as error:
            problem = error
    raise problem


def _plain(text: bytes) -> bytes:
    """Without the kernel's octal escapes."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 255]), text)


def _generation(handle: int) -> int:
    """The inode's generation. Raises OSError where the filesystem does not tell it.

    Raises NotThatFileError for a file whose bytes lie elsewhere: a lower file of an overlay may hold nothing but the attributes
    of another one (metacopy), and then begins with a hole.
    """
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if set(_METACOPY).intersection(os.listxattr(fd)) or os.lseek(fd, 0, os.SEEK_DATA):
            raise NotThatFileError("only the attributes of another file")
        generation: int = struct.unpack_from("=I", fcntl.ioctl(fd, _GETVERSION, bytes(struct.calcsize("l"))))[0]
        return generation
    finally:
        os.close(fd)


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
            raise OSError(errno.EFBIG, "more bytes than the limit")
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


def main() -> None:
    """Answer until the socket or the agent ends. The socket's descriptor is the command line's last word."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # the agent ended before the kernel knew that we want to end with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is sent to all on the terminal: the agent ends us when it is done
    os.nice(5)
    _serve(socket.socket(fileno=int(sys.argv[-1])))
