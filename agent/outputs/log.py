"""The log on disk: JSON lines in `evidence` and `activity`, written by a thread of its own.

    loop ── write() ─► encode ─► queue of that log (bounded in bytes) ─┐
    loop ◄─ taken()                                                    ├─► writer thread ─► write(2), batch by batch
                                 full: counted, later told by a Gap ◄──┘       └─► sync thread: fdatasync of evidence

The loop never waits for the disk. What was queued is never dropped while the agent runs; what finds its queue full is counted
by log and kind, and told by a Gap in `evidence` as soon as the disk works again. Each log has its own queue, so noise can't
push evidence out of memory either.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

import msgspec
from msgspec import Struct

from agent.outputs.channel import Channel
from agent.outputs.spool import LINE_LIMIT, Folder, Spool
from agent.outputs.stamp import ACTIVITY, EVIDENCE, LOGS, Clock, Stamp, boot_ns
from model.event import FlowCount, Gap
from model.record import Finding, Note, Record, Where

CLOCK_CHECK_S = 1.0

Latency = Callable[[Sequence[int], int], None]  # boot times of the events that were just written, and now


class Bounds(Struct, frozen=True):
    """Bytes that the logs may take, on disk and in memory."""

    evidence_bytes: int = 256 << 20
    activity_bytes: int = 1 << 30
    file_bytes: int = 16 << 20
    evidence_queue_bytes: int = 2 << 20
    activity_queue_bytes: int = 8 << 20
    sync_s: float = 5.0


DEFAULT: Final = Bounds()


class LogState(Struct, frozen=True):
    """How one log fares, for status and metrics."""

    disk_bytes: int
    waiting_bytes: int
    written: int  # records since the start
    lost: dict[str, int]  # records since the start that had no room, by kind
    error: str  # what the disk said last; "" while it works


class Log:
    """Both logs of one run. `stamp` builds the records with their ids.

    Raises FolderInUseError if another agent writes to the folder, OSError if the folder can't be made. Whatever happens to
    the disk later is counted and shown in `state`, never raised.
    """

    def __init__(
        self, folder: Path, where: Where, *, clock: Clock | None = None, bounds: Bounds = DEFAULT, latency: Latency | None = None
    ) -> None:
        self._folder = Folder(folder)
        self._folder.ensure()
        spools = {log: self._spool(log, where, bounds) for log in LOGS}
        self.stamp: Final = Stamp(where, clock or Clock(), {log: spool.next_index for log, spool in spools.items()})
        self._evidence = Channel(spools[EVIDENCE], bounds.evidence_queue_bytes)
        self._activity = Channel(spools[ACTIVITY], bounds.activity_queue_bytes)
        self._channels = (self._evidence, self._activity)
        self._latency = latency
        self._encode = msgspec.json.Encoder().encode
        self._lock = Lock()
        self._position = 0
        self._taken = 0
        self._wake = Event()
        self._asleep = False
        self._ending = Event()
        self._deadline_s = 0.0
        self._clock_checked_s = 0.0
        self._start(bounds.sync_s)

    def write(self, record: Record | Finding | Note) -> int:
        """Queue it and return its position; 0 if there was no room: then it is counted, and never written."""
        return self.write_all((record,))[0]

    def write_all(self, records: Sequence[Record | Finding | Note]) -> list[int]:
        """The same for many, in one go."""
        lines = [self._line(record) for record in records]
        with self._lock:
            positions = [self._queue_or_refuse(record, line) for record, line in zip(records, lines, strict=True)]
            self._rouse()
        return positions

    def _line(self, record: Record | Finding | Note) -> bytes:
        """Empty where it can't be written: a surrogate, say. A bug in decoding must not cost more than its record."""
        try:
            return self._encode(record) + b"\n"
        except (TypeError, ValueError) as error:
            self._channel_of(record).error = f"a record could not be written: {error}"
            return b""

    def _channel_of(self, record: Record | Finding | Note) -> Channel:
        return self._activity if type(record) is Record and type(record.event) is not Gap else self._evidence

    def _queue_or_refuse(self, record: Record | Finding | Note, line: bytes) -> int:
        """Under the lock."""
        channel, size = self._channel_of(record), len(line)
        if not size or size > LINE_LIMIT or channel.waiting_bytes + size > channel.limit:
            channel.refuse(kind_of(record), boot_ns())
            return 0
        return self._queue(channel, _event_time(record), line)

    def taken(self) -> int:
        """Every record up to this position is in the kernel's hands: it survives the end of this process."""
        return self._taken

    def state(self) -> dict[str, LogState]:
        """Both logs, by name."""
        with self._lock:
            return {channel.spool.log: _state(channel) for channel in self._channels}

    def close(self, deadline_s: float = 3.0) -> int:
        """Write what is queued, within the deadline; how many records could not be."""
        self._deadline_s = time.monotonic() + deadline_s
        self._ending.set()
        with self._lock:
            self._rouse()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline_s + 0.2 - time.monotonic()))
        self._folder.close()
        return sum(channel.lost["unwritten"] for channel in self._channels)

    def _spool(self, log: str, where: Where, bounds: Bounds) -> Spool:
        prefix = self_prefix(where, log)
        budget = bounds.evidence_bytes if log == EVIDENCE else bounds.activity_bytes
        return Spool(self._folder, log, where.boot, prefix, budget_bytes=budget, file_bytes=min(bounds.file_bytes, budget // 2))

    def _start(self, sync_s: float) -> None:
        writer = Thread(target=self._write_all, name="log.writer", daemon=True)
        sync = Thread(target=self._sync_all, args=(sync_s,), name="log.sync", daemon=True)
        self._threads = (writer, sync)
        self.write(self.stamp.clock_note())
        for thread in self._threads:
            thread.start()

    def _queue(self, channel: Channel, time_ns: int, line: bytes) -> int:
        self._position += 1
        channel.put(self._position, time_ns, line)
        return self._position

    def _rouse(self) -> None:
        if self._asleep:
            self._asleep = False
            self._wake.set()

    def _write_all(self) -> None:
        """The writer thread."""
        while not self._ending.is_set():
            self._round()
            self._rest()
        while self._round() and time.monotonic() < self._deadline_s:
            self._ending_pause()
        with self._lock:
            for channel in self._channels:
                channel.give_up(boot_ns())
        for channel in self._channels:
            channel.spool.close()

    def _round(self) -> bool:
        """Give each log its batch; True while records wait."""
        now_s = time.monotonic()
        self._check_clock(now_s)
        with self._lock:
            for channel in self._channels:
                channel.batch()
        for channel in self._channels:
            self._observe([line.time_ns for line in channel.write(now_s) if line.time_ns])
        with self._lock:
            self._tell_losses()
            waiting = [position for channel in self._channels if (position := channel.unwritten())]
            self._taken = min(waiting) - 1 if waiting else self._position
            return bool(waiting)

    def _rest(self) -> None:
        """Sleep until there is something to do that can be done now. No linger for company: the loop hands over whole batches."""
        now_s = time.monotonic()
        retries = [channel.retry_at - now_s for channel in self._channels if channel.retry_at]
        with self._lock:
            can_tell = not self._evidence.retry_at
            busy = any(channel.has_work(can_tell=can_tell) for channel in self._channels)
            self._asleep = not busy and not self._ending.is_set()
            self._wake.clear()
        if self._asleep:
            self._wake.wait(max(0.0, min(retries)) if retries else None)
            self._asleep = False

    def _ending_pause(self) -> None:
        time.sleep(0.01)
        for channel in self._channels:
            channel.retry_at = 0.0

    def _observe(self, times: list[int]) -> None:
        if self._latency is not None and times:
            self._latency(times, boot_ns())

    def _check_clock(self, now_s: float) -> None:
        if now_s - self._clock_checked_s < CLOCK_CHECK_S:
            return
        self._clock_checked_s = now_s
        if self.stamp.clock.jumped():
            self.write(self.stamp.clock_note())

    def _tell_losses(self) -> None:
        """Under the lock. While evidence can't be written the counts are kept."""
        if self._evidence.error:
            return
        now_ns = boot_ns()
        for channel in self._channels:
            for loss in channel.losses(now_ns):
                gap = Gap(now_ns, 0, f"log.{channel.spool.log}", loss.what, loss.count, loss.began_ns)
                self._queue(self._evidence, 0, self._encode(self.stamp.record(gap)) + b"\n")

    def _sync_all(self, every_s: float) -> None:
        """The sync thread: the disk has all evidence that is older than a few seconds."""
        while not self._ending.wait(every_s):
            try:
                self._evidence.spool.sync()
            except OSError as error:
                self._evidence.error = f"sync: {error}"


def self_prefix(where: Where, log: str) -> bytes:
    """How each line of this log begins, up to its index."""
    return b'{"id":' + msgspec.json.encode(f"{where.agent}/{where.boot}/{log}/")[:-1]


def kind_of(record: Record | Finding | Note) -> str:
    """The word for it in counts: the event's kind, or finding, or the note's kind."""
    if isinstance(record, Record):
        return str(record.event.__struct_config__.tag)
    return record.kind


def _event_time(record: Record | Finding | Note) -> int:
    """For the latency: of what the kernel has just reported; 0 for counts, gaps, notes, and what stood before the agent."""
    if type(record) is not Record or type(record.event) in (FlowCount, Gap) or record.late:
        return 0
    return 0 if getattr(record.event, "standing", False) else record.event.time_ns


def _state(channel: Channel) -> LogState:
    spool = channel.spool
    return LogState(spool.bytes_on_disk, channel.waiting_bytes, spool.written, dict(channel.lost), channel.error)
