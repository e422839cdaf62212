"""What a sweep says of flows: bytes of the ring `reports` → counts, and first sights that no ring had room for.

Pure, so that a replay reads reports as the agent did.
"""

from collections.abc import Callable
from errno import ECONNREFUSED
from struct import error
from typing import Any

from agent.sensor import layout
from agent.sensor.decode import DecodeError, Namer, address, as_it_is
from model import event
from model.event import Access, Actor, Direction, File, Flag, Layer, Operation, Protocol, Session
from model.text import from_bytes

_TAIL_BYTES = 64
_UNKNOWN = -1
_DEVICE = layout.FLOW_KEY_FIELDS.index("dev")
KINDS = {
    value: name.removeprefix("KIND_").lower() for name, value in vars(layout).items() if name.startswith("KIND_")
}  # "exec", "open": the same words as the events' tags

_SESSIONS = {one.number: one for one in Session}
_LAYERS = {one.number: one for one in Layer}
_OPERATIONS = {one.number: one for one in Operation}
_DIRECTIONS = {one.number: one for one in Direction}


class Reports:
    """Reads `struct report`. `name`: see decode.Namer."""

    def __init__(self, name: Namer = as_it_is) -> None:
        self.malformed = 0
        self._name = name
        self._first: dict[int, Callable[[_Report], event.Event]] = {
            layout.KIND_EXEC: self._exec,
            layout.KIND_OPEN: self._open,
            layout.KIND_LOAD: self._load,
            layout.KIND_CHANGE: self._change,
            layout.KIND_NET: self._net,
            layout.KIND_SOCKET: self._socket,
            layout.KIND_UNIX: self._unix,
        }

    def read(self, raw: bytes, now_ns: int) -> tuple[event.Event | None, event.FlowCount]:
        """The flow's first sight where no ring had room for it, and its count.

        Of such a first sight the end of the path is known (64 bytes, Flag.CUT if it is longer), no arguments, and the start
        of the process to a microsecond. Raises DecodeError.
        """
        try:
            report = _Report(raw)
            first = self._first.get(report.kind) if report.state == layout.FLOW_UNSENT else None
            return first(report) if first else None, report.counted(now_ns)
        except (error, LookupError, ValueError) as problem:
            raise DecodeError(f"a report of {len(raw)} bytes: {problem}") from problem

    def all(self, raws: list[bytes], now_ns: int) -> tuple[list[event.Event], list[event.FlowCount]]:
        """First sights and counts of many reports; those that can't be read are counted in `malformed`."""
        firsts: list[event.Event] = []
        counts = []
        for raw in raws:
            try:
                first, count = self.read(raw, now_ns)
            except DecodeError:
                self.malformed += 1
                continue
            counts.append(count)
            if first:
                firsts.append(first)
        return firsts, counts

    def _file(self, report: "_Report") -> File:
        _who, inode, _names, device, real_device, generation, what = layout.FLOW_KEY.unpack(report.key)
        layer = _LAYERS[what >> 16 & 0xFF]
        path, more = self._name(report.container, device, layer, report.text)
        flags = Flag((what >> 5 & 0x1FF if report.kind != layout.KIND_EXEC else 0) | more | report.cut)
        return File(path, layer, flags, device, inode, real_device, generation, 0)

    def _exec(self, report: "_Report") -> event.Exec:
        unknown = 0
        return event.Exec(
            report.last_ns, report.actor(), self._file(report), None, (), _UNKNOWN, "", "", report.euid, unknown, unknown,
            unknown, unknown, no_new_privs=False, seccomp=unknown, code_environment=(), setuid=False,
        )  # fmt: skip

    def _open(self, report: "_Report") -> event.Open:
        access = Access(report.what & 0x1F)
        return event.Open(report.first_ns, report.actor(), self._file(report), access, report.key)

    def _load(self, report: "_Report") -> event.Load:
        return event.Load(report.first_ns, report.actor(), self._file(report), report.key)

    def _change(self, report: "_Report") -> event.Change:
        operation = _OPERATIONS[report.what & 0x1F]
        return event.Change(report.first_ns, report.actor(), operation, self._file(report), None, 0, 0, report.key)

    def _net(self, report: "_Report") -> event.Net:
        _who, peer, port, local, *_ = layout.FLOW_KEY_PEER.unpack(report.key)
        direction, protocol = _DIRECTIONS[report.what >> 8 & 0xF], report.what & 0xFF
        known = Protocol(protocol) if protocol in set(Protocol) else Protocol.ANY
        serves = direction in (Direction.LISTEN, Direction.INGRESS)
        if serves:  # the key has our own port: of those who come, each has another one
            port, local = port if direction is Direction.LISTEN else 0, port
        result = 0 if serves else _result(report.what >> 12 & 0xF, _UNKNOWN)
        return event.Net(
            report.first_ns, report.actor(), direction, known, address(peer), port, local, result, report.key
        )  # fmt: skip

    def _socket(self, report: "_Report") -> event.Socket:
        family, kind = report.what >> 4 & 0xFFF, report.what & 0xF
        protocol = layout.FLOW_KEY.unpack(report.key)[_DEVICE]
        return event.Socket(report.first_ns, report.actor(), family, kind, protocol, report.key)

    def _unix(self, report: "_Report") -> event.Unix:
        named = report.what >> 16 & 0xFF
        file, result = self._file(report) if named else None, _result(report.what & 0x1F, 0)
        return event.Unix(report.first_ns, report.actor(), file, "" if file else report.text, result, report.key)


def _result(outcome: int, without: int) -> int:
    """As much of an event's result as the key has (enum outcome). `without`: where it has none."""
    return {layout.OUTCOME_NONE: without, layout.OUTCOME_REFUSED: ECONNREFUSED}.get(outcome, _UNKNOWN)


class _Report:
    """The fields of one report."""

    def __init__(self, raw: bytes) -> None:
        values: tuple[Any, ...] = layout.REPORT.unpack_from(raw)
        self.key, self.container, self.exe, _inode, _device, self.euid, _generation, session, tty, _round = values[:10]
        self.count, self.added, self.first_ns, self.last_ns, actor, self.state, retired, tail = values[10:]
        self.session = _SESSIONS[session] if session else Session.STANDING  # 0: the entry of `whos` is gone
        self.tty, self.retired = bool(tty), bool(retired)
        self.pid, self.started_low = actor >> 32, actor & 0xFFFFFFFF
        self.what = int.from_bytes(self.key[36:40], "little") & 0xFFFFFF
        self.kind = self.key[39]
        kept = tail.rstrip(b"\0").rpartition(b"\0")[2]  # a short path may have bytes of the record before it, then NUL
        self.text = from_bytes(kept)
        self.cut = 0 if kept.startswith(b"/") and len(kept) < _TAIL_BYTES else int(Flag.CUT)

    def counted(self, now_ns: int) -> event.FlowCount:
        text = self.text if self.state == layout.FLOW_UNSENT else ""
        return event.FlowCount(
            now_ns, self.key, self.container, self.session, self.kind, self.count, self.added,
            self.first_ns, self.last_ns, self.pid, self.started_low, text, self.retired,
        )  # fmt: skip

    def actor(self) -> Actor:
        started = started_ns(self.started_low, self.last_ns)
        return Actor(
            self.container, self.pid, started, 0, 0, 0, 0, self.session, self.exe, self.euid, self.tty, ""
        )  # fmt: skip


def started_ns(low_us: int, seen_ns: int) -> int:
    """A start time to a microsecond, from its low 32 bits and a time at which the process ran; right within 71 minutes.

    An older process gets a start that is too late by a multiple of 71.6 minutes: compare the low bits where it matters.
    """
    seen_us = seen_ns // 1000
    started = seen_us & ~0xFFFFFFFF | low_us
    return (started if started <= seen_us else max(0, started - (1 << 32))) * 1000
