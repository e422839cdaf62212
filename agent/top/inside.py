"""One container from inside: its process tree, its last findings, its peers, its new files. Pure.

The part that is chosen takes the room that there is; of the others a few lines are shown, and none where the screen is low.
"""

from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text

from agent.top.choice import SECTIONS, Choice
from agent.top.columns import least, rate
from agent.top.pen import BLANK, DIM, LOUD, NAME, TITLE, WARN, Pen, Size
from agent.top.snapshot import Branch, Detail, Peer, Told
from agent.top.span import span

BESIDE: Final = 3  # lines of a part that is not chosen
LEAST: Final = 5  # lines that the chosen part keeps
DEEPEST: Final = 12  # steps that the tree goes to the right
SECOND_NS: Final = 1_000_000_000
_TITLES: Final = {"processes": "PROCESSES", "findings": "FINDINGS", "peers": "PEERS", "files": "NEW FILES"}
_MODES: Final = {"exec": WARN, "standing": DIM, "runtime": DIM}
Lines = Sequence[Callable[[Pen, int], Text]]


def inside(pen: Pen, detail: Detail, choice: Choice, size: Size) -> list[Text]:
    """At most `size.height` lines."""
    top = _head(pen, detail, size.width)[: max(0, size.height - 2)]
    parts = {name: _PARTS[name](detail) for name in SECTIONS}
    heights = _heights({name: len(lines) for name, (lines, _) in parts.items()}, choice.section, size.height - len(top))
    for name, height in heights.items():
        lines, left_out = parts[name]
        top += _part(pen, name, lines, left_out, choice, Size(size.width, height))
    return top


def _head(pen: Pen, detail: Detail, width: int) -> list[Text]:
    row = detail.row
    state = "" if row.running else "  ended"
    said = (
        f"{rate(row.events_per_s)} events/s · {rate(row.novelty_per_s)} new/s · {rate(row.execs_per_s)} execs/s · "
        f"{least(row.peers, more=row.peers_more)} peers · {least(row.findings, more=row.findings_more)} findings"
    )
    lost = f" · {row.lost}{' and an unknown number of' if row.lost_unknown else ''} events not itemised"
    return [
        pen.line(width, (row.name, TITLE), (f"  {row.image}", DIM), (state, LOUD)),
        pen.line(width, (pen.mark(said), ""), (pen.mark(lost) if row.lost or row.lost_unknown else "", WARN)),
    ]


def _heights(lengths: dict[str, int], chosen: str, room: int) -> dict[str, int]:
    """Lines of each part, its title included: the later ones go first where there is no room."""
    others = {name: 1 + min(max(1, length), BESIDE) for name, length in lengths.items() if name != chosen}
    while others and sum(others.values()) + LEAST > room:
        others.popitem()
    return {
        name: room - sum(others.values()) if name == chosen else others[name]
        for name in lengths
        if name == chosen or name in others
    }


def _part(pen: Pen, name: str, lines: Lines, left_out: int, choice: Choice, size: Size) -> list[Text]:
    room = max(0, size.height - 1)
    begin = max(0, min(choice.scroll, len(lines) - room)) if name == choice.section else 0
    shown = [line(pen, size.width) for line in lines[begin : begin + room]] or [pen.line(size.width, ("  none", DIM))]
    counted = f" {begin + 1} to {begin + len(shown)} of {len(lines)}" if len(lines) > room else f" {len(lines)}"
    more = f" · {left_out} more had no room" if left_out else ""
    style = f"{TITLE} reverse" if name == choice.section else TITLE
    title = pen.line(size.width, (_TITLES[name], style), (pen.mark(counted), DIM), (pen.mark(more), WARN))
    return ([title, *shown] + [BLANK] * size.height)[: max(0, size.height)]


def _processes(detail: Detail) -> tuple[Lines, int]:
    def line(one: Branch) -> Callable[[Pen, int], Text]:
        return lambda pen, width: _branch(pen, one, detail.now_ns, width)

    return [line(one) for one in detail.processes], detail.processes_left_out


def _branch(pen: Pen, one: Branch, now_ns: int, width: int) -> Text:
    age = f"ended, {one.how}" if one.ended_ns else span(max(0, now_ns - one.started_ns) / SECOND_NS)
    style = DIM if one.ended_ns else ""
    rail = "  " * min(one.depth - 1, DEEPEST) + pen.mark("└ ") if one.depth else ""
    return pen.line(
        width,
        (f"{one.pid:>8} ", DIM),
        (f"{one.euid:>6} ", style if one.euid else style or WARN),
        (f"{one.session:<8} ", style or _MODES.get(one.session, "")),
        (f"{age:>9}  ", DIM),
        (rail, DIM),
        (one.program or "?", style or NAME),
        (f" {one.arguments}" if one.arguments else "", style),
    )


def _findings(detail: Detail) -> tuple[Lines, int]:
    return [_told(one) for one in detail.findings], detail.findings_left_out


def _files(detail: Detail) -> tuple[Lines, int]:
    return [_told(one) for one in detail.files], detail.files_left_out


def _told(one: Told) -> Callable[[Pen, int], Text]:
    words = "  ".join(word for word in one.words if word)
    return lambda pen, width: pen.line(width, (f"  {one.time[11:19]}  ", DIM), (words, LOUD if one.loud else ""))


def _peers(detail: Detail) -> tuple[Lines, int]:
    def line(one: Peer) -> Callable[[Pen, int], Text]:
        age = span(max(0, detail.now_ns - one.last_ns) / SECOND_NS)
        return lambda pen, width: pen.line(
            width,
            (f"  {one.direction:<8}", DIM),
            (f"{one.address}", NAME),
            (f"  {one.name}" if one.name else "", ""),
            (f"  {one.problem}" if one.problem else "", WARN),
            (f"  {one.count} times, {age} ago", DIM),
        )

    return [line(one) for one in detail.peers], detail.peers_left_out


_PARTS: Final[dict[str, Callable[[Detail], tuple[Lines, int]]]] = {
    "processes": _processes,
    "findings": _findings,
    "peers": _peers,
    "files": _files,
}
