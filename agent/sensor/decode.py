"""Bytes of a ring → `model.event`. One function a kind, found by number; one unpack a record.

The layouts are those of bpf/sensor.h (see layout.py). A record that does not hold what its kind must hold raises
DecodeError; `Decoder.all` counts those and goes on. Cost: see bench and tests/sensor_python/test_decode.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from socket import AF_INET, AF_INET6, inet_ntop
from struct import error
from typing import Any

from agent.sensor import dns, layout
from model import event
from model.event import Access, Actor, Direction, File, Flag, Layer, Operation, Protocol, Session
from model.text import from_bytes

_MAPPED = bytes(10) + b"\xff\xff"
_BY = layout.EVENT_BY
_AFTER = len(layout.EVENT_FIELDS)
_FILE = len(layout.FILE_ID_FIELDS)

Namer = Callable[[int, int, Layer, str], tuple[str, int]]
"""(container, device, layer, path inside the filesystem) → the container's name for it, and bits of Flag to add (plain
int: combining members of an IntFlag costs a microsecond)."""

Values = tuple[Any, ...]


class DecodeError(ValueError):
    """A record that is not what its kind must be."""


def as_it_is(_container: int, _device: int, _layer: Layer, path: str) -> tuple[str, int]:
    """The namer that knows no mounts: paths stay those inside the filesystem."""
    return path, 0


class Decoder:
    """Turns records into events. `variables`: names of the code-loading variables by bit; `name`: see Namer."""

    def __init__(self, variables: Sequence[str] = (), name: Namer = as_it_is) -> None:
        self.malformed = 0
        self._name = name
        self._variables = tuple(variables)
        self._sessions = {0: Session.STANDING, **{one.number: one for one in Session}}  # 0: a hook without a process
        self._layers = {one.number: one for one in Layer}
        self._flags = [Flag(bits) for bits in range(512)]
        self._access = [Access(bits) for bits in range(32)]
        self._operations = {one.number: one for one in Operation}
        self._directions = {one.number: one for one in Direction}
        self._protocols = {int(one): one for one in Protocol}
        self._by_kind = self._table()

    def _table(self) -> list[Callable[[bytes], event.Event]]:
        table: list[Callable[[bytes], event.Event]] = [_unknown] * layout.KINDS
        table[layout.KIND_EXEC] = self._exec
        table[layout.KIND_EXIT] = self._exit
        table[layout.KIND_OPEN] = self._open
        table[layout.KIND_LOAD] = self._load
        table[layout.KIND_CHANGE] = self._change
        table[layout.KIND_NET] = self._net
        table[layout.KIND_SOCKET] = self._socket
        table[layout.KIND_UNIX] = self._unix
        table[layout.KIND_DNS] = self._dns
        table[layout.KIND_CGROUP] = self._cgroup
        table[layout.KIND_HANDOVER] = self._handover
        table[layout.KIND_MOUNT] = self._mount
        table[layout.KIND_LEFT] = self._left
        table[layout.KIND_PRIVILEGE] = self._privilege
        table[layout.KIND_MANY] = self._many
        return table

    def decode(self, raw: bytes) -> event.Event:
        """One record. Raises DecodeError, whatever the bytes are."""
        try:
            return self._by_kind[int.from_bytes(raw[8:12], "little")](raw)
        except (error, LookupError, ValueError) as problem:
            raise DecodeError(f"{len(raw)} bytes of kind {raw[8:12].hex() or 'none'}: {problem}") from problem

    def take(self, raw: bytes) -> event.Event | None:
        """One record; None, and counted in `malformed`, where it can't be read."""
        try:
            return self.decode(raw)
        except DecodeError:
            self.malformed += 1
            return None

    def all(self, records: Iterable[bytes]) -> Iterator[event.Event]:
        """The events of the records that can be read; the others are counted in `malformed`."""
        return filter(None, map(self.take, records))

    def _actor(self, values: Values) -> Actor:
        container, exe, started, creator_started, ancestor_started, pid, creator, ancestor, euid, session, tty, comm = values[
            _BY:_AFTER
        ]
        return Actor(
            container, pid, started, creator, creator_started, ancestor, ancestor_started,
            self._sessions[session], exe, euid, tty != 0, from_bytes(comm.partition(b"\0")[0]),
        )  # fmt: skip

    def _file(self, container: int, values: Values, raw_path: bytes) -> File:
        inode, _names, ctime, _superblock, device, real_device, generation, flags, layer = values
        where = self._layers[layer]
        path, more = self._name(container, device, where, from_bytes(raw_path))
        return File(path, where, self._flags[flags | more], device, inode, real_device, generation, ctime)

    def _maybe_file(self, container: int, values: Values, raw_path: bytes) -> File | None:
        return self._file(container, values, raw_path) if values[-1] else None

    def _exec(self, raw: bytes) -> event.Exec:
        v = layout.EXEC_EVENT.unpack_from(raw)
        path, script, cwd, argv, tty = _texts(raw, layout.EXEC_EVENT.size, v[2:7])
        actor = self._actor(v)
        after = layout.EXEC_EVENT_SCRIPT
        capabilities, permitted, environment, uid, gid, login, size, seccomp, no_new, setuid, standing = v[after + _FILE :]
        return event.Exec(
            v[0], actor, self._file(actor.container, v[layout.EXEC_EVENT_FILE : after], path),
            self._maybe_file(actor.container, v[after : after + _FILE], script),
            _arguments(argv), size, from_bytes(cwd), from_bytes(tty), uid, gid, login, capabilities, permitted,
            no_new != 0, seccomp, self._environment(environment) if environment else (), setuid != 0, standing != 0,
        )  # fmt: skip

    def _environment(self, bits: int) -> tuple[str, ...]:
        return tuple(name for number, name in enumerate(self._variables) if bits >> number & 1)

    def _exit(self, raw: bytes) -> event.Exit:
        v = layout.EXIT_EVENT.unpack_from(raw)
        actor, code = self._actor(v), v[_AFTER]
        return event.Exit(v[0], actor, code >> 8 & 0xFF, code & 0x7F, max(0, v[0] - actor.started_ns))

    def _file_event(self, raw: bytes) -> tuple[Values, Actor, File]:
        v = layout.FILE_EVENT.unpack_from(raw)
        (path,) = _texts(raw, layout.FILE_EVENT.size, v[2:3])
        actor, at = self._actor(v), layout.FILE_EVENT_FILE
        return v, actor, self._file(actor.container, v[at : at + _FILE], path)

    def _open(self, raw: bytes) -> event.Open:
        v, actor, file = self._file_event(raw)
        return event.Open(v[0], actor, file, self._access[v[-2]], v[_AFTER], v[-1] != 0)

    def _load(self, raw: bytes) -> event.Load:
        v, actor, file = self._file_event(raw)
        return event.Load(v[0], actor, file, v[_AFTER], v[-1] != 0)

    def _many(self, raw: bytes) -> event.Many:
        """The kernel counts below the folder by container and names: its counts are known by that."""
        v, actor, file = self._file_event(raw)
        _who, _inode, names, device, _real_device, _generation, what = layout.FLOW_KEY.unpack(v[_AFTER])
        counted = layout.PREFIX_KEY.pack(actor.container, names, device, what)
        return event.Many(v[0], actor, file, self._access[v[-2]], counted)

    def _change(self, raw: bytes) -> event.Change:
        v = layout.CHANGE_EVENT.unpack_from(raw)
        before, after = _texts(raw, layout.CHANGE_EVENT.size, v[2:4])
        actor, first, second = self._actor(v), layout.CHANGE_EVENT_FILE, layout.CHANGE_EVENT_TARGET
        operation, mode, owner = v[second + _FILE :]
        return event.Change(
            v[0], actor, self._operations[operation], self._file(actor.container, v[first:second], before),
            self._maybe_file(actor.container, v[second : second + _FILE], after), mode, owner, v[_AFTER],
        )  # fmt: skip

    def _net(self, raw: bytes) -> event.Net:
        v = layout.NET_EVENT.unpack_from(raw)
        key, where, port, local, direction, protocol, standing, result = v[_AFTER:]
        known = self._protocols.get(protocol, Protocol.ANY)
        return event.Net(
            v[0], self._actor(v), self._directions[direction], known, address(where), port, local, result, key, "", standing != 0
        )

    def _socket(self, raw: bytes) -> event.Socket:
        v = layout.SOCKET_EVENT.unpack_from(raw)
        key, family, kind, protocol = v[_AFTER:]
        return event.Socket(v[0], self._actor(v), family, kind, protocol, key)

    def _unix(self, raw: bytes) -> event.Unix:
        v = layout.UNIX_EVENT.unpack_from(raw)
        (name,) = _texts(raw, layout.UNIX_EVENT.size, v[2:3])
        actor, at = self._actor(v), layout.UNIX_EVENT_FILE
        file = self._maybe_file(actor.container, v[at : at + _FILE], name)
        return event.Unix(v[0], actor, file, "" if file else from_bytes(name), v[-1], v[_AFTER])

    def _dns(self, raw: bytes) -> event.Dns:
        v = layout.DNS_EVENT.unpack_from(raw)
        (message,) = _texts(raw, layout.DNS_EVENT.size, v[2:3])
        server, _length, tcp = v[_AFTER:]
        said = dns.parse(message[2:] if tcp else message)  # on TCP a length of two bytes comes first
        return event.Dns(
            v[0], v[_BY], address(server), said.name, said.type, said.rcode, said.addresses, said.aliases, said.ttl_s
        )

    def _cgroup(self, raw: bytes) -> event.Cgroup:
        v = layout.CGROUP_EVENT.unpack_from(raw)
        (path,) = _texts(raw, layout.CGROUP_EVENT.size, v[2:3])
        number, parent, _level, alive = v[_AFTER:]
        return event.Cgroup(v[0], number, parent, from_bytes(path), alive != 0)

    def _handover(self, raw: bytes) -> event.Handover:
        v = layout.HANDOVER_EVENT.unpack_from(raw)
        return event.Handover(v[0], self._actor(v), v[_AFTER])

    def _mount(self, raw: bytes) -> event.Mount:
        v = layout.MOUNT_EVENT.unpack_from(raw)
        root, point = _texts(raw, layout.MOUNT_EVENT.size, v[2:4])
        superblock, device, magic, is_root, _read_only = v[_AFTER:]
        return event.Mount(v[0], v[_BY], superblock, device, from_bytes(root), from_bytes(point), magic, is_root != 0)

    def _left(self, raw: bytes) -> event.Left:
        v = layout.LEFT_EVENT.unpack_from(raw)
        return event.Left(v[0], self._actor(v), v[_AFTER])

    def _privilege(self, raw: bytes) -> event.Privilege:
        v = layout.PRIVILEGE_EVENT.unpack_from(raw)
        before, after, euid = v[_AFTER:]
        return event.Privilege(v[0], self._actor(v), euid, before, after)


def _unknown(_raw: bytes) -> event.Event:
    raise ValueError("no such kind")


def address(raw: bytes) -> str:
    """16 bytes as text; an IPv4-mapped address as IPv4."""
    return inet_ntop(AF_INET, raw[12:]) if raw.startswith(_MAPPED) else inet_ntop(AF_INET6, raw)


def _texts(raw: bytes, at: int, lengths: Values) -> list[bytes]:
    """The texts behind the fixed struct. ValueError where they are longer than the record."""
    texts = []
    for length in lengths:
        texts.append(raw[at : at + length])
        at += length
    if at > len(raw):
        raise ValueError("texts longer than the record")
    return texts


def _arguments(raw: bytes) -> tuple[str, ...]:
    """Arguments end with NUL. Of the last one that may be cut: the event's `argv_bytes` tells."""
    if not raw:
        return ()
    return tuple(map(from_bytes, (raw[:-1] if raw.endswith(b"\0") else raw).split(b"\0")))
