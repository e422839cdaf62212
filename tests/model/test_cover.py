"""What is said to be covered is covered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.cover import covers, selects_all_of
from model.glob import Glob
from model.select import Selector
from tests.model.strategies import paths, patterns


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("/a/**", "/a"), ("/a/**", "/a/b"), ("/a/**", "/a/*/c"), ("/**", "/a/**"), ("/a/*", "/a/b*"), ("/a/*.so", "/a/lib*.so"),
        ("/a/**/c", "/a/*/c"), ("/a/**/c", "/a/b/**/c"), ("/a/[ab]", "/a/a"), ("/**/x", "/a/**/x"), ("/a/**/**", "/a/**"),
    ],
)  # fmt: skip
def test_this_pattern_covers_that_one(wide: str, narrow: str) -> None:
    assert covers(Glob(wide), Glob(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("/a/*", "/a/**"), ("/a/*", "/a"), ("/a/b", "/a/*"), ("/a/b*", "/a/*"), ("/a/?", "/a/*"), ("/a/x*x", "/a/x"),
        ("/a/*/c", "/a/**/c"), ("/a/*b", "/a/[xb]"), ("/a/**/b", "/a/b/c"),
    ],
)  # fmt: skip
def test_this_one_does_not(wide: str, narrow: str) -> None:
    assert not covers(Glob(wide), Glob(narrow))


@settings(max_examples=300)
@given(st.lists(patterns, min_size=2, max_size=6), st.lists(paths, min_size=1, max_size=8))
def test_a_path_of_a_covered_pattern_is_one_of_the_covering_pattern(texts: list[str], some: list[str]) -> None:
    globs = [Glob(text) for text in texts]
    pairs = [(wide, narrow) for wide in globs for narrow in globs if covers(wide, narrow)]
    wrong = [(wide, narrow, path) for wide, narrow in pairs for path in some if narrow.matches(path) and not wide.matches(path)]
    assert wrong == []


@settings(max_examples=200)
@given(patterns, st.lists(st.sampled_from(["a", "b", "ab", "z"]), max_size=3))
def test_a_pattern_covers_itself_and_everything_below_what_it_ends_with(pattern: str, names: list[str]) -> None:
    assert covers(Glob(pattern), Glob(pattern))
    assert covers(Glob(f"{pattern}/**"), Glob("/".join([pattern, *names])))


@pytest.mark.parametrize(
    ("wide", "narrow", "all_of"),
    [
        (Selector(("*",)), Selector(("web",)), True),
        (Selector(), Selector(("web",), ("nginx",)), True),
        (Selector(("web", "api")), Selector(("web",)), True),
        (Selector(("web",)), Selector(("web", "api")), False),
        (Selector(("web",), ("nginx",)), Selector(("web",)), False),
        (Selector(("*",), namespace="shop"), Selector(("web",)), False),
        (Selector(("*",)), Selector(images=("nginx",)), True),
    ],
)
def test_selectors_cover_others_where_every_field_does(wide: Selector, narrow: Selector, all_of: bool) -> None:
    assert selects_all_of(wide, narrow) is all_of
