"""Many patterns at once match what each of them matches alone, within a bounded table."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from model.automaton import STATES, Automaton
from model.glob import Glob
from tests.model.test_glob import PATHS, PATTERNS


@settings(max_examples=500)
@given(st.lists(PATTERNS, max_size=8), st.lists(PATHS | st.just("/"), min_size=1, max_size=4))
def test_it_finds_what_each_pattern_matches_in_their_order(patterns: list[str], paths: list[str]) -> None:
    automaton = Automaton([(Glob(pattern), number) for number, pattern in enumerate(patterns)])
    for path in paths:
        expected = [number for number, pattern in enumerate(patterns) if Glob(pattern).matches(path)]
        assert list(automaton.find(path)) == expected


def test_no_path_makes_the_table_grow_without_end() -> None:
    automaton = Automaton([(Glob(f"/**/a{number}/**/b"), number) for number in range(40)])
    for number in range(20_000):
        names = [f"a{step}" for step in range(16) if number >> step & 1]
        automaton.find("/" + "/".join(names))
    assert len(automaton._states) <= STATES + 1


def test_a_thousand_patterns_cost_no_more_than_a_step_for_each_name() -> None:
    automaton = Automaton([(Glob(f"/**/n{number}/*"), number) for number in range(1000)])
    assert automaton.find("/a/n7/x") == (7,)
    began = time.perf_counter()
    for _ in range(1000):
        automaton.find("/a/n7/x")
    assert time.perf_counter() - began < 0.1
