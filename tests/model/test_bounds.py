"""What a hostile text costs, in work and not in seconds: how much of it is looked at before it is refused, and how clearly."""

from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model import testing
from model.policy import parse
from model.positions import ALIASES, DEEPEST, LARGEST, VALUES, read
from model.problem import Code, PolicyError, Problem, Text

MIB = 1 << 20
TOO_LARGE = {
    "10 MiB of laughs": "a: &a [x]\n" + "b: [*a, *a, *a, *a]\n" * (MIB // 2),
    "10 MiB of lines": "\n" * (10 * MIB),
    "10 MiB in one line": "a" * (10 * MIB),
    "a million keys": "".join(f"key{number}: x\n" for number in range(1_000_000)),
    "one byte too much": "#" * (LARGEST + 1),
    "too much where every character has three bytes": "€" * (LARGEST // 3 + 1),
}
TOO_MUCH = {
    "billion laughs": "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['lol'] * 9)}]\n" for n in range(9)),
    "many keys": "".join(f"{number:x}: x\n" for number in range(90_000)),
    "many values": "[" + "a," * 400_000 + "]",
    "many documents": "--- a\n" * 100_000,
    "deep lists": "[" * 500_000,
    "deep mappings": "{a: " * 200_000,
    "deep blocks": "".join(" " * depth + "a:\n" for depth in range(1400)),
    "deep dashes": "- " * 500_000,
    "many aliases": "a: &a b\nc: [" + "*a," * 200_000 + "]",
}
NO_YAML = {
    "NUL": ("a: b\nc: x\0y\n", 2, 5),
    "NUL after a long line of two-byte characters": (f"a: {'é' * 500_000}\nc: \0\n", 2, 4),
    "half a character": ("a: \ud800", 1, 4),
    "escape": ("a: b\n\x1b[2J", 2, 1),
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events of libyaml were taken."""
    count = [0]
    real = yaml.parse

    def counted(text: str, Loader: type) -> Iterator[yaml.Event]:  # noqa: N803 - the library's name
        for event in real(text, Loader=Loader):
            count[0] += 1
            yield event

    monkeypatch.setattr(yaml, "parse", counted)
    return count


def refusal(text: str) -> Problem:
    with pytest.raises(PolicyError) as caught:
        read(Text(text, "x.yaml"))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_text_that_is_too_large_is_refused_before_any_of_it_is_parsed(taken: list[int], name: str) -> None:
    problem = refusal(TOO_LARGE[name])
    assert taken == [0]
    assert (problem.line, problem.column, problem.code) == (1, 1, Code.TOO_LARGE)
    assert "a policy file has at most 1,048,576" in problem.message
    assert problem.hint
    assert len(str(problem)) < 1000


@pytest.mark.parametrize("name", TOO_MUCH)
def test_one_that_is_too_much_is_refused_after_a_bounded_number_of_steps(taken: list[int], name: str) -> None:
    problem = refusal(TOO_MUCH[name])
    assert taken[0] <= 3 * VALUES + ALIASES + DEEPEST
    assert problem.code == Code.TOO_LARGE
    assert problem.hint
    assert len(str(problem)) < 1000


@pytest.mark.parametrize("name", NO_YAML)
def test_what_is_no_text_is_refused_at_its_place(name: str) -> None:
    text, line, column = NO_YAML[name]
    problem = refusal(text)
    assert (problem.line, problem.column, problem.code) == (line, column, Code.SYNTAX)
    assert problem.hint


@pytest.mark.parametrize("length", [10_000, 1_000_000])
def test_a_long_word_is_quoted_in_a_part(length: int) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(f"{'k' * length}: b\n", "x.yaml")
    assert len(str(caught.value)) < 2000


def test_values_that_aliases_repeat_count_each_time(taken: list[int]) -> None:
    text = f"a: &a [{'x,' * 3000}]\nb: [*a, *a, *a]\n"
    assert refusal(text).message == f"more than {VALUES:,} values"
    assert taken[0] < VALUES


def test_what_is_just_within_the_bounds_is_read() -> None:
    deepest = "[" * DEEPEST + "]" * DEEPEST
    assert len(read(Text(deepest, "x"))) == 1
    assert len(read(Text("a: &a b\nc: [" + "*a," * ALIASES + "]", "x"))) == 1
    assert len(read(Text("[" + "a," * (VALUES - 1) + "]", "x"))) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["&a ", "*a", "[", "]", "{", "}", "a: ", "- ", "\n", "? ", ",", "x", "--- ", "\0", "é"]), max_size=60
    ),
    st.integers(1, 2000),
)
def test_any_pattern_repeated_is_read_or_refused_by_both_parsers_within_the_bounds(parts: list[str], times: int) -> None:
    text = "".join(parts) * times
    for read_it in (parse, testing.parse):
        try:
            read_it(text[:LARGEST], "x.yaml")
        except PolicyError as error:
            told = str(error)
            assert told.startswith("x.yaml:"), told
