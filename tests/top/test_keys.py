"""From bytes to keys, from keys to what is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.top.choice import CONTAINER, HELP, TABLE, Choice
from agent.top.keys import names
from agent.top.snapshot import Row

ROWS = [Row(f"/{name}", name, "", running=True) for name in ("a", "b", "c")]


def pressed(*keys: str, choice: Choice | None = None) -> Choice:
    choice = choice or Choice()
    for key in keys:
        choice.press(key, ROWS, 5)
    return choice


@pytest.mark.parametrize(
    ("raw", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1bOB", ["up", "down"]),
        (b"\x1b", ["escape"]),
        (b"\r\t\x7f", ["enter", "tab", "backspace"]),
        ("ä/".encode(), ["ä", "/"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[F", ["pgup", "pgdn", "home", "end"]),
        (b"\x1b[1;5C\x1b[200~x", ["x"]),
        (b"\x00\x01\xff", []),
    ],
)
def test_bytes_are_keys_and_what_is_unknown_is_left_out(raw: bytes, keys: list[str]) -> None:
    assert list(names(raw)) == keys


@given(st.binary(max_size=100))
def test_any_bytes_are_some_keys(raw: bytes) -> None:
    choice = Choice()
    for key in names(raw):
        choice.press(key, ROWS)
    assert choice.filter.isprintable()


def test_arrows_choose_a_row_and_stop_at_both_ends() -> None:
    assert pressed("down").key == "/b"
    assert pressed("down", "down", "down", "down").key == "/c"
    assert pressed("down", "up", "up").key == "/a"
    assert pressed("end").key == "/c"


def test_the_chosen_container_stays_chosen_when_the_order_changes() -> None:
    choice = pressed("down")
    assert choice.at(list(reversed(ROWS))) == 1
    assert choice.at(ROWS[2:] + ROWS[:2]) == 2


def test_enter_opens_the_chosen_container_and_escape_closes_it() -> None:
    choice = pressed("down", "enter")
    assert (choice.page, choice.key) == (CONTAINER, "/b")
    assert pressed("escape", choice=choice).page == TABLE


def test_enter_on_an_empty_table_does_nothing() -> None:
    choice = Choice()
    choice.press("enter", [])
    assert choice.page == TABLE


def test_keys_go_into_the_filter_until_enter() -> None:
    choice = pressed("/", "q", "?", "backspace", "s")
    assert (choice.filter, choice.typing, choice.ended, choice.page) == ("qs", True, False, TABLE)
    assert not pressed("enter", choice=choice).typing
    assert pressed("escape", choice=choice).filter == ""


def test_help_comes_from_everywhere_and_goes_by_any_key() -> None:
    choice = pressed("?")
    assert choice.page == HELP
    assert pressed("x", choice=choice).page == TABLE


def test_help_in_a_container_leads_back_into_it() -> None:
    choice = pressed("enter", "?", "x")
    assert choice.page == CONTAINER


def test_tab_goes_through_the_parts_of_a_container_and_scrolling_begins_anew() -> None:
    choice = pressed("enter", "down", "down")
    assert (choice.section, choice.scroll) == ("processes", 2)
    assert (pressed("tab", choice=choice).section, choice.scroll) == ("findings", 0)


def test_scrolling_stops_at_the_last_line_and_comes_back_from_there_at_once() -> None:
    assert pressed("enter", "end").scroll == 5
    assert pressed("enter", "end", "down", "up").scroll == 4


def test_q_quits_from_every_page() -> None:
    assert all(pressed(*keys, "q").ended for keys in ([], ["enter"], ["?"]))
