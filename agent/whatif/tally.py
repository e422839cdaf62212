"""What a what-if found: rows of findings that come, go or stay, and all that could not be judged again."""

from collections import OrderedDict
from typing import Any, Final

from msgspec import Struct

from agent.outputs.workload import subject_of
from model.event import Event, FlowCount

ROWS: Final = 4096  # that are told apart
FLOWS: Final = 65_536  # whose later counts find their row: 25 MiB
CAUSES: Final = 1024  # kinds of what was not judged
TEXT: Final = 512  # characters of a text from the log that are kept

CHANGES: Final = {
    "new": "a finding that the old policies do not have",
    "changed": "a finding with both, for another reason or by another rule",
    "same": "the same finding with both",
    "gone": "a finding of the old policies only",
    "learnt": "a violation under the new policies, in mode learn: recorded, no finding",
}


class Word(Struct, frozen=True):
    """A verdict as text. Logs of other versions may have words that this one does not know."""

    outcome: str = ""
    mode: str = ""
    reason: str = ""
    rule: str = ""
    policy: str = ""

    @property
    def violates(self) -> bool:
        """Whether a policy does not allow it."""
        return self.outcome == "violation"

    @property
    def finds(self) -> bool:
        """Whether people are told."""
        return self.violates and self.mode == "alert"


def compare(old: Word, new: Word) -> str:
    """The word of CHANGES; "" where nobody is told, neither then nor now."""
    if new.finds:
        if not old.finds:
            return "new"
        return "same" if (old.reason, old.rule) == (new.reason, new.rule) else "changed"
    if old.finds:
        return "gone"
    return "learnt" if new.violates and not old.violates else ""


class Row(Struct):
    """One kind of change: of one container, by one rule, for one reason."""

    change: str  # a word of CHANGES
    container: str
    policy: str  # of the new verdict; where it is gone, of the old one
    rule: str
    reason: str
    before: str  # the old reason where it changed
    subject: str  # of the example
    example: str  # id of the first such record
    records: int = 0
    times: int = 0  # with what was counted of the same flows


class NotJudged(Struct):
    """What can't be judged again, and why."""

    what: str
    why: str
    count: int  # events; -1: nobody knows how many
    example: str = ""


class _Flow:
    """A flow's row, and how many of its kernel's count are counted there."""

    __slots__ = ("counted", "row")

    def __init__(self, row: Row | None) -> None:
        self.row, self.counted = row, 1


def _kept(*texts: str) -> list[Any]:
    """As much of each text from a log as is kept."""
    return [text[:TEXT] for text in texts]


class Tally:
    """Counts. Flows are of one boot: call `boot` for each line."""

    def __init__(self) -> None:
        self.records = self.judged = 0
        self.rows: dict[tuple[str, ...], Row] = {}
        self._not_judged: dict[tuple[str, str], NotJudged] = {}
        self._flows: OrderedDict[bytes, _Flow] = OrderedDict()
        self._boot = ""

    @property
    def not_judged(self) -> list[NotJudged]:
        """In the order of their names."""
        return sorted(self._not_judged.values(), key=lambda one: (one.what, one.why))

    def boot(self, boot: str) -> None:
        """The boot that the next line is of: flows of another one are others."""
        if boot != self._boot:
            self._boot = boot
            self._flows.clear()

    def row(self, change: str, container: str, old: Word, new: Word, id_: str, event: Event) -> Row:
        """The row of this change; one for all the rest where there is no room."""
        said = old if change == "gone" else new
        before = old.reason if change == "changed" else ""
        key = (change, container, said.policy, said.rule, said.reason, before)
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= ROWS:
                key = (change, "(others)", "", "", "", "")
            row = self.rows.setdefault(key, Row(*_kept(*key), *_kept(subject_of(event), id_)))
        return row

    def itemised(self, row: Row | None, flow: bytes, standing: bool) -> None:  # noqa: FBT001 - for each line
        """One record that was judged. A known flow that is `standing` did nothing new: it was judged by other policies."""
        self.judged += 1
        known = self._flows.get(flow) if flow else None
        if known is not None and standing:
            known.row = row
            return
        if row is not None:
            row.records += 1
            row.times += 1
        if known is not None:
            known.row = row
            known.counted += 1
        elif flow:
            self._flows[flow] = _Flow(row)
            if len(self._flows) > FLOWS:
                self._flows.popitem(last=False)

    def counted(self, event: FlowCount, example: str) -> None:
        """The kernel's count of a flow. It holds every time that was itemised, too: only what is above that is new."""
        known = self._flows.get(event.flow)
        if known is None:
            self._count_alone(event, example)
            return
        more = max(0, event.count - known.counted)
        known.counted += more
        if known.row is not None:
            known.row.times += more
        if event.final:
            del self._flows[event.flow]

    def _count_alone(self, event: FlowCount, example: str) -> None:
        if event.text:
            self.cannot("counts of folders, networks and programs", "the kernel counted them as a whole", event.added, example)
        else:
            self.cannot("counts of flows", "their first sight is not in this log", event.added, example)

    def cannot(self, what: str, why: str, count: int = 1, example: str = "") -> None:
        """Something could not be judged again."""
        key = (what[:TEXT], why[:TEXT])
        if key not in self._not_judged and len(self._not_judged) >= CAUSES:
            key = ("other", "more causes than are told apart")
        one = self._not_judged.setdefault(key, NotJudged(*key, 0, example[:TEXT]))
        one.count = -1 if count < 0 or one.count < 0 else one.count + count

    def sorted_rows(self) -> list[Row]:
        """The loudest first, in an order that does not depend on that of the log."""
        order = list(CHANGES)
        return sorted(
            self.rows.values(), key=lambda row: (order.index(row.change), -row.times, row.container, row.rule, row.reason)
        )

    def of(self, change: str) -> tuple[int, int]:
        """Records and times of one change."""
        rows = [row for row in self.rows.values() if row.change == change]
        return sum(row.records for row in rows), sum(row.times for row in rows)
