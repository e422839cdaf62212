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

HEAD: Final = 2  # lines above the parts
BESIDE: Final = 3  # lines of a part that is not chosen
LEAST: Final = 5  # lines that the chosen part keeps
DEEPEST: Final = 12  # steps that the tree goes to the right
SECOND_NS: Final = 1_000_000_000
_TITLES: Final = {"processes": "PROCESSES", "findings": "FINDINGS", "peers": "PEERS", "files": "NEW FILES"}
_MODES: Final = {"exec": WARN, "standing": DIM, "runtime": DIM}
Lines = Sequence[Callable[[Pen, int], Text]]


def inside(pen: Pen, detail: Detail, choice: Choice, size: Size) -> list[Text]:
    """At most `size.height` lines."""
    shown = _head(pen, detail, size.width)[: _head_lines(size)]
    for name, height in _parts(detail, choice, size).items():
        shown += _part(pen, name, *_PARTS[name](detail), choice, Size(size.width, height))
    return shown


def furthest(detail: Detail, choice: Choice, size: Size) -> int:
    """How far the chosen part can be scrolled."""
    height = _parts(detail, choice, size)[choice.section]
    return max(0, len(_PARTS[choice.section](detail)[0]) - max(0, height - 1))


def _parts(detail: Detail, choice: Choice, size: Size) -> dict[str, int]:
    lengths = {name: len(_PARTS[name](detail)[0]) for name in SECTIONS}
    return _heights(lengths, choice.section, size.height - _head_lines(size))


def _head_lines(size: Size) -> int:
    return max(0, min(HEAD, size.height - 2))


def _head(pen: Pen, detail: Detail, width: int) -> list[Text]:
    row = detail.row
    state = "" if row.running else "  ended"
    said = (
        f"events/s {rate(row.events_per_s)} · new/s {rate(row.novelty_per_s)} · execs/s {rate(row.execs_per_s)} · "
        f"peers {least(row.peers, more=row.peers_more)} · findings {least(row.findings, more=row.findings_more)}"
    )
    lost = f" · not itemised {row.lost}{' and an unknown number' if row.lost_unknown else ''}"
    return [
        pen.line(width, (row.name, TITLE), (f"  {row.image}", DIM), (state, LOUD)),
        pen.line(width, (pen.mark(said), ""), (pen.mark(lost) if row.lost or row.lost_unknown else "", WARN)),
    ]


def _heights(lengths: dict[str, int], chosen: str, room: int) -> dict[str, int]:
    """Lines of each part, its title included: the later ones go first where there is no room. What is over, all may have."""
    wanted = {name: 1 + max(1, length) for name, length in lengths.items()}
    others = {name: min(lines, 1 + BESIDE) for name, lines in wanted.items() if name != chosen}
    while others and sum(others.values()) + min(wanted[chosen], LEAST) > room:
        others.popitem()
    heights = {name: others.get(name, 0) for name in wanted if name == chosen or name in others}
    for name in (chosen, *heights):
        heights[name] += min(wanted[name] - heights[name], max(0, room - sum(heights.values())))
    return heights


def _part(pen: Pen, name: str, lines: Lines, left_out: int, choice: Choice, size: Size) -> list[Text]:
    room = max(0, size.height - 1)
    begin = max(0, min(choice.scroll, len(lines) - room)) if name == choice.section else 0
    shown = [line(pen, size.width) for line in lines[begin : begin + room]] or [pen.line(size.width, ("  none", DIM))]
    fields = "  pid, user id, session, age, program" if name == SECTIONS[0] else ""
    counted = f" {begin + 1} to {begin + len(shown)} of {len(lines)}" if len(lines) > room else f" {len(lines)}"
    more = f" · {left_out} more had no room" if left_out else ""
    style = f"{TITLE} reverse" if name == choice.section else TITLE
    title = pen.line(size.width, (_TITLES[name], style), (counted, DIM), (pen.mark(fields), DIM), (pen.mark(more), WARN))
    return ([title, *shown] + [BLANK] * size.height)[: max(0, size.height)]


def _processes(detail: Detail) -> tuple[Lines, int]:
    def line(one: Branch) -> Callable[[Pen, int], Text]:
        return lambda pen, width: _branch(pen, one, detail.now_ns, width)

    return [line(one) for one in detail.processes], detail.processes_left_out


def _branch(pen: Pen, one: Branch, now_ns: int, width: int) -> Text:
    age = "ended" if one.ended_ns else span(max(0, now_ns - one.started_ns) / SECOND_NS)
    style = DIM if one.ended_ns else ""
    rail = "  " * min(one.depth - 1, DEEPEST) + pen.mark("└ ") if one.depth else ""
    return pen.line(
        width,
        (f"{one.pid:>7} {one.euid:>5} ", style),
        (f"{one.session:<8} ", style or _MODES.get(one.session, "")),
        (f"{age:>7}  {rail}", DIM),
        (one.program or "?", style or NAME),
        (f" {one.arguments}" if one.arguments else "", style),
        (f"  {one.how}" if one.how else "", WARN),
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
            (f"  count {one.count}, {age} ago", DIM),
        )

    return [line(one) for one in detail.peers], detail.peers_left_out


_PARTS: Final[dict[str, Callable[[Detail], tuple[Lines, int]]]] = {
    "processes": _processes,
    "findings": _findings,
    "peers": _peers,
    "files": _files,
}
