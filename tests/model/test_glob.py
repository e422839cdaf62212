"""Patterns of paths: exact in what they match, and linear in time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.glob import Glob, GlobError, check, native
from model.text import from_bytes

MATCHES = [
    ("/a/b", "/a/b"),
    ("/a/*", "/a/b"),
    ("/a/*.log", "/a/x.log"),
    ("/a/*.log", "/a/.log"),
    ("/a/x*y*z", "/a/xyyzz"),
    ("/a/?", "/a/é"),
    ("/a/[a-c]x", "/a/bx"),
    ("/a/[!a-c]x", "/a/dx"),
    ("/a/[]]", "/a/]"),
    ("/a/[*]", "/a/*"),
    ("/a/[a&&~~||^]", "/a/|"),
    ("/a/**", "/a"),
    ("/a/**", "/a/b/c/d"),
    ("/**", "/"),
    ("/**", "/a/b"),
    ("/**/x", "/x"),
    ("/**/x", "/a/b/x"),
    ("/a/**/x", "/a/x"),
    ("/a/**/x/*.c", "/a/b/x/x/y.c"),
    ("/a/**/b/**/c", "/a/b/x/b/c"),
    ("/a/**/b*/**", "/a/x/bx/y/z"),
    ("/a/**/**/x", "/a/x"),
    ("/a/x\\y", "/a/x\\\\y"),
    ("/a/?b", "/a/\\xffb"),
    ("/a/*", "/a/new\nline"),
]
MISSES = [
    ("/a/b", "/a/bc"),
    ("/a/*", "/a/b/c"),
    ("/a/*", "/a"),
    ("/a/?", "/a/"),
    ("/a/?", "/a/bc"),
    ("/a/[!b]x", "/a/bx"),
    ("/a/x[!y]z", "/a/x/z"),
    ("/a/**", "/ab"),
    ("/a/**/x", "/a/xx"),
    ("/a/**/x", "/a/b/xx"),
    ("/a/**/x/y", "/a/x/z/y"),
    ("/a/*.log", "/a/x.log/y"),
    ("/a/*ff", "/a/\\xff"),
    ("/a/b", "/a/b\n"),
]


@pytest.mark.parametrize(("pattern", "path"), MATCHES)
def test_it_matches(pattern: str, path: str) -> None:
    check(pattern)
    assert Glob(pattern).matches(native(path))


@pytest.mark.parametrize(("pattern", "path"), MISSES)
def test_it_does_not_match(pattern: str, path: str) -> None:
    check(pattern)
    assert not Glob(pattern).matches(native(path))


@pytest.mark.parametrize(
    "pattern", ["", "a/b", "/a//b", "/a/./b", "/a/../b", "/a/", "/a**", "/**b/c", "/a/[", "/a/[z-a]", "/a/[!]", "/a\0b"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(GlobError):
        check(pattern)


def naive(pattern: str, path: str) -> bool:
    """The same language with a regular expression that goes back; `**` as any names."""
    expression = ""
    for name in pattern[1:].split("/"):
        if name == "**":
            expression += "(?:/[^/]+)*"
        else:
            expression += "/" + "".join("[^/]*" if char == "*" else "[^/]" if char == "?" else re.escape(char) for char in name)
    return re.fullmatch(expression, path, re.DOTALL) is not None


NAMES = st.text(alphabet="ab", min_size=1, max_size=4)
PARTS = st.one_of(st.just("**"), st.text(alphabet="ab*?", min_size=1, max_size=4).filter(lambda name: "**" not in name))
PATTERNS = st.lists(PARTS, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names))
PATHS = st.lists(NAMES, min_size=1, max_size=6).map(lambda names: "/" + "/".join(names))


@given(PATTERNS, PATHS)
def test_never_going_back_loses_no_match(pattern: str, path: str) -> None:
    assert Glob(pattern).matches(path) == naive(pattern, path)


@given(PATTERNS, PATHS, PATHS)
def test_below_is_true_of_every_path_below_or_of_none(pattern: str, folder: str, rest: str) -> None:
    below = Glob(pattern).below(folder)
    if below is not None:
        assert Glob(pattern).matches(folder + rest) == below


@given(PATTERNS, PATHS)
def test_what_matches_lies_in_the_literal_folder(pattern: str, path: str) -> None:
    glob = Glob(pattern)
    if glob.matches(path):
        assert path == glob.folder or path.startswith(glob.folder + "/")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/**/" + "a*" * 20 + "b", "/" + "a" * 4095),
        ("/" + "*a" * 40 + "b", "/" + "a" * 4095),
        ("/**/a/**/a/**/a/**/b", "/a" * 2047),
        ("/**/a*/a*/a*b", "/a" * 2047),
        ("/**/*a*/**/*a*/**/*a*b", "/aaa" * 1000),
    ],
)
def test_hostile_paths_cost_milliseconds(pattern: str, path: str) -> None:
    glob = Glob(pattern)
    began = time.perf_counter()
    assert not glob.matches(path)
    assert time.perf_counter() - began < 0.2


@given(st.binary(max_size=20))
def test_native_has_one_form_for_each_name(raw: bytes) -> None:
    assert native(from_bytes(raw)).encode("utf-8", "surrogateescape") == raw
