"""Which columns and lines there are, for any size and any text."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from agent.top.choice import CONTAINER, HELP, SECTIONS, TABLE, Choice
from agent.top.columns import COLUMNS, layout, ordered, rate
from agent.top.inside import furthest
from agent.top.pages import page, printed
from agent.top.pen import Pen, Size
from agent.top.snapshot import Agent, Branch, Detail, Peer, Row, Snapshot, Told
from agent.top.span import span
from model.text import printable

TEXT = st.text(max_size=40)
WEB = Row("/web", "web", "nginx:1.27", running=True, events_per_s=12.5, findings=2, last_reason="exec.drift", lost=7)
DB = Row("/db", "db", "postgres:16", running=True, events_per_s=99.0)
OLD = Row("/old", "old", "nginx:1", running=False, lost_unknown=True)
PAGES = [TABLE, CONTAINER, HELP]
PEN = Pen(unicode=True)


def snapshot(*rows: Row, **more: Any) -> Snapshot:
    total = Row("total", "total", "", running=True)
    given = {"time": "2026-01-01T12:00:00Z", "since": "2026-01-01T11:59:00Z", "window_s": 10.0, "counts_s": 60.0}
    agent = Agent(version="1", running=True, ready=True)
    rest = {"left_out": 0, "losses": (), "skipped_bytes": 0, "damaged": 0}
    return Snapshot(**{**given, "agent": agent, "total": total, "containers": rows, **rest, **more})


def detail(row: Row = WEB, text: str = "x", count: int = 1) -> Detail:
    told = Told("2026-01-01T12:00:00Z", (text, "high"), loud=True)
    branch = Branch(3, 4711, text, text, "exec", 0, 0, 0, "")
    peer = Peer("egress", text, text, "", 0, 3)
    return Detail(row, 10**9, (branch,) * count, 1, (told,) * count, 0, (peer,) * count, 0, (told,) * count, 2)


def test_at_80_columns_only_the_image_gives_way() -> None:
    assert [column.name for column, _ in layout(80)] == [column.name for column in COLUMNS if column.name != "image"]


def test_columns_give_way_in_the_order_that_the_page_names() -> None:
    gone = []
    for width in range(140, 10, -1):
        names = [column.name for column, _ in layout(width)]
        gone += [column.name for column in COLUMNS if column.name not in names and column.name not in gone]
    assert gone == ["image", "reason", "execs", "peers", "novelty", "lost", "findings", "events"]


@given(st.integers(1, 300))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    assert sum(cells for _, cells in layout(width)) + len(layout(width)) - 1 <= width


@given(st.integers(1, 150), st.integers(1, 50), TEXT, st.sampled_from(PAGES), st.sampled_from(SECTIONS), st.booleans())
def test_a_page_fills_every_size_exactly_and_no_text_leaves_its_line(
    width: int, height: int, text: str, which: str, section: str, unicode: bool
) -> None:
    row = structs.replace(WEB, name=text, image=text, last_reason=text)
    shown = snapshot(row, DB, OLD, left_out=3, losses=(text,), skipped_bytes=5000, damaged=1)
    choice = Choice(page=which, section=section, filter=text[:3], typing=unicode)
    lines = page(Pen(unicode=unicode), shown, detail(row, text, 30), choice, Size(width, height))
    assert len(lines) == height
    for line in lines:
        assert cell_len(line.plain) <= width
        assert line.plain == printable(line.plain)


def test_the_chosen_row_is_always_in_sight_and_the_rest_is_counted() -> None:
    rows = [Row(f"/{number}", f"c{number:03}", "", running=True) for number in range(100)]
    lines = page(PEN, snapshot(*rows), None, Choice(key="/70", sort="name"), Size(80, 24))
    assert any(line.plain.startswith("c070") for line in lines)
    assert "of 100 containers" in lines[-2].plain


def inside_of(choice: Choice, height: int = 24, count: int = 50) -> list[str]:
    return [line.plain.rstrip() for line in page(PEN, snapshot(WEB), detail(count=count), choice, Size(80, height))]


def test_the_chosen_part_of_a_container_has_the_room_and_of_the_others_a_few_lines_are_shown() -> None:
    lines = inside_of(Choice(page=CONTAINER, section="findings"))
    parts = [number for number, line in enumerate(lines) if line.split(" ")[0].isupper()]
    assert [end - begin for begin, end in itertools.pairwise(parts)] == [4, 9, 4]
    assert "FINDINGS 1 to 8 of 50" in lines[parts[1]]


def test_what_a_short_part_leaves_over_the_others_have() -> None:
    lines = inside_of(Choice(page=CONTAINER), height=40, count=6)
    assert [line for line in lines if " of " in line] == []


def test_on_a_low_screen_only_the_chosen_part_is_left() -> None:
    lines = inside_of(Choice(page=CONTAINER, section="peers"), height=9)
    assert lines[2].startswith("PEERS 1 to 5 of 50")


def test_a_part_scrolls_to_its_last_line_and_no_further() -> None:
    choice, size = Choice(page=CONTAINER), Size(80, 23)
    choice.scroll = furthest(detail(count=50), choice, size)
    assert any("to 50 of 50" in line for line in inside_of(choice))


def test_losses_are_said_aloud_before_the_table() -> None:
    total = Row("total", "total", "", running=True, lost=7, lost_unknown=True)
    agent = Agent(running=True, ready=True, losses={"ring.urgent exec": 3, "nothing": 0})
    shown = snapshot(WEB, total=total, losses=("12:00:00 7 open events of web (budget)",), agent=agent, left_out=2)
    told = printed(PEN, shown, "events", 100)
    assert told[2] == "not itemised: 7 and an unknown number; last: 12:00:00 7 open events of web (budget)"
    assert told[3] == "lost since the agent's start: ring.urgent exec 3"
    assert told[4].startswith("2 containers had no room here")


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        (Agent(), "no agent runs any more"),
        (Agent(running=True, ready=True, silent_s=45, pid=7), "the agent (pid 7) is silent for 45 s"),
        (Agent(running=True, unready=("sensor: not yet",)), "the agent is not ready: sensor: not yet"),
    ],
)
def test_an_agent_that_does_not_see_is_said_first(agent: Agent, says: str) -> None:
    assert says in page(PEN, snapshot(agent=agent), None, Choice(), Size(100, 24))[0].plain


def test_a_begin_on_another_day_has_its_date() -> None:
    shown = snapshot(since="2025-12-24T08:15:00Z")
    assert "since 2025-12-24 08:15" in page(PEN, shown, None, Choice(), Size(120, 24))[1].plain


def test_rows_are_ordered_by_any_column_the_most_first() -> None:
    rows = [WEB, DB, OLD]
    assert [row.name for row in ordered(rows, "events")] == ["db", "web", "old"]
    assert [row.name for row in ordered(rows, "lost")] == ["old", "web", "db"]
    assert [row.name for row in ordered(rows, "reason")] == ["web", "db", "old"]
    assert [row.name for row in ordered(rows, "name")] == ["db", "web", "old"]


def test_a_filter_looks_for_its_text_in_name_and_image_whatever_the_case() -> None:
    assert [row.name for row in ordered([WEB, DB, OLD], "name", "NGINX")] == ["web", "old"]


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (0.25, "0.25"), (7.5, "7.5"), (1234.4, "1234")])
def test_a_rate_has_the_digits_that_matter(value: float, shown: str) -> None:
    assert rate(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0.4 s"), (119, "119 s"), (300, "5 min"), (7300, "2 h"), (200000, "2 d")])
def test_a_length_of_time_is_one_number(seconds: float, shown: str) -> None:
    assert span(seconds) == shown
