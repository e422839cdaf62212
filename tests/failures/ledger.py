"""What a log says of one container, added up: records, counts and gaps together are all that it did."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from agent.outputs.reading import Damaged, Entry, read
from agent.sensor import layout
from model.event import Event, Exec, FlowCount, Gap, Open
from model.record import Finding, Note, Record

PATIENCE_S = 90.0
NOT_LOST = "budget.unsent"  # a flow that waits in the map: the sweep brings it
Kind = TypeVar("Kind", bound=Event)
Found = TypeVar("Found")


class Ledger:
    """Everything that a folder's logs hold by now; `of` is a container's name, or "" for all."""

    def __init__(self, log: Path, of: str = "") -> None:
        self.entries: list[Entry] = list(read(log))
        self.damaged = [entry for entry in self.entries if isinstance(entry, Damaged)]
        self.notes = [entry for entry in self.entries if isinstance(entry, Note)]
        self.records = [entry for entry in self.entries if isinstance(entry, Record) and (not of or name_of(entry) == of)]
        self.findings = [entry for entry in self.entries if isinstance(entry, Finding) and (not of or entry.container == of)]

    def events(self, kind: type[Kind], **fields: Any) -> list[Kind]:
        """Events of one kind with these fields, in the order of the log."""
        found = [record.event for record in self.records if isinstance(record.event, kind)]
        return [event for event in found if all(getattr(event, name) == value for name, value in fields.items())]

    def gaps(self, place: str) -> int:
        """How many events were lost at this place."""
        return sum(gap.count for gap in self.events(Gap) if gap.place == place)

    def itemised(self, kind: str) -> int:
        """Records of one kind, one by one."""
        return sum(1 for record in self.records if tag(record.event) == kind)

    def total(self, kind: str) -> int:
        """All events of a kind: each flow as often as it was recorded or, if that is more, counted; and what gaps say."""
        lost = sum(gap.count for gap in self.events(Gap) if gap.what == kind and gap.place != NOT_LOST)
        return lost + sum(times for _, times in self._flows(kind))

    def opens_below(self, folder: str) -> int:
        """All opens of files in a folder, if nothing outside of it was counted without a name."""
        outside = {event.flow for event in self.events(Open) if not event.file.path.startswith(f"{folder}/")}
        return self.total("open") - sum(times for flow, times in self._flows("open") if flow in outside)

    def _flows(self, kind: str) -> Iterator[tuple[bytes, int]]:
        number = getattr(layout, f"KIND_{kind.upper()}")
        recorded: Counter[bytes] = Counter()
        counted: defaultdict[bytes, int] = defaultdict(int)
        for event in (record.event for record in self.records):
            if isinstance(event, FlowCount) and event.what == number:
                counted[event.flow] = event.count
                if event.final:  # what comes after it begins anew
                    yield event.flow, max(recorded.pop(event.flow, 0), counted.pop(event.flow))
            elif tag(event) == kind and not names_counted(event):
                recorded[getattr(event, "flow", b"")] += 1
        for flow in recorded.keys() | counted.keys():
            yield flow, max(recorded[flow], counted[flow])


def tag(event: Event) -> str:
    """The word for its kind."""
    return str(event.__struct_config__.tag)


def names_counted(event: Event) -> bool:
    """An exec that was beyond the rate: its record only names what its counts count."""
    return isinstance(event, Exec) and not event.argv and event.argv_bytes < 0


def name_of(record: Record) -> str:
    return record.origin.container.name if record.origin else ""


def wait(look: Callable[[], Found], claim: str, patience_s: float = PATIENCE_S) -> Found:
    """What `look` finds as soon as it is true."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, claim
        time.sleep(0.05)
    return found
