"""One rule of a suggested policy, and what its reader must know before trusting it."""

from collections import Counter
from typing import Final

from msgspec import Struct

from model.behaviour import IDS, Path, Peer, Seen
from model.event import Flag, Layer, Protocol, Session
from model.fields import IMAGE, PROTOCOLS
from model.text import printable

REMARK: Final = 60  # characters
NAMES: Final = {int(protocol): protocol.name.lower() for protocol in Protocol}
BY_NUMBER: Final = {layer.number: layer for layer in Layer}


class Rule(Struct, frozen=True):
    """One entry of a list. `fields` are as in the document; a text alone is the shorthand."""

    verb: str
    what: str  # the path, address or port; see `layers` and `ports`
    layers: tuple[str, ...] = ()  # "from" of a path
    ports: tuple[str, ...] = ()  # of an address
    notes: tuple[str, ...] = ()  # what a reader must know before trusting it
    remark: str = ""  # what helps to read it
    records: int = 0
    times: int = 0
    ids: tuple[str, ...] = ()  # the first records that it comes from

    @property
    def order(self) -> tuple[object, ...]:
        """Within its list: what needs no explanation first."""
        return self.notes, self.what != IMAGE, self.what, self.layers, self.ports


def rule_of(verb: str, what: str, seen: list[Seen], *, layers: tuple[str, ...] = (), ports: tuple[str, ...] = ()) -> Rule:
    """The rule that stands for these subjects, with all that is to be said of it."""
    ids = sorted({id_ for one in seen for id_ in one.ids}, key=_in_order)[:IDS]
    names = sorted({one.name for one in seen if one.name})
    remark = printable(", ".join(names))
    remark = remark if len(remark) <= REMARK else remark[: REMARK - 1] + "…"
    notes = tuple(_notes(verb, seen))
    return Rule(
        verb, what, layers, ports, notes, remark, sum(one.records for one in seen), sum(one.times for one in seen), tuple(ids)
    )


def _in_order(id_: str) -> tuple[str, int]:
    log, _, index = id_.rpartition("/")
    return log, int(index) if index.isdecimal() else 0


def _notes(verb: str, seen: list[Seen]) -> list[str]:
    """What a reader must know: where it is from, who said no to it before, when and by whom alone it was seen."""
    layers = {BY_NUMBER[one.subject.layer] for one in seen if isinstance(one.subject, Path)}
    notes = []
    if Layer.WRITABLE in layers:
        notes.append("in the container's writable layer, not in the image")
    if verb in ("exec", "load") and Layer.ROOT in layers:
        notes.append("a root filesystem without layers: the image's files and later ones can't be told apart")
    if Layer.MEMFD in layers:
        notes.append("anonymous memory, in no file")
    if verb in ("exec", "load") and any(one.subject.flags & Flag.DELETED for one in seen if isinstance(one.subject, Path)):
        notes.append("its file had been deleted")
    violated = sum((one.violated for one in seen), Counter[tuple[str, str]]())
    notes += [
        f"was a violation of {printable(policy)}: {reason}, {times} times" for (policy, reason), times in sorted(violated.items())
    ]
    if seen and all(one.sessions == {Session.STANDING} for one in seen):
        notes.append("only by processes that ran before the agent: they may have been entered from outside")
    if seen and all(one.early_only for one in seen):
        notes.append("only in the first seconds after the container's start")
    if any(isinstance(one.subject, Peer) and NAMES.get(one.subject.protocol, "") not in PROTOCOLS for one in seen):
        notes.append("a protocol without ports: this allows every port and protocol there")
    return notes
