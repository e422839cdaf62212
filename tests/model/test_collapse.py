"""Paths that were seen become patterns: as few as sensible, never wider than what was shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.collapse import collapse, pattern_of
from model.glob import Glob, check

MANY = 10


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("nginx", "nginx"),
        ("access.log", "access.log"),
        ("1234.pid", "[0-9]*.pid"),
        ("worker-48211", "worker-[0-9]*"),
        ("python3.11", "python[0-9]*"),
        ("libfoo-1.2.3.so", "libfoo-[0-9]*.so"),
        ("x86_64-linux-gnu", "x86_64-linux-gnu"),
        ("python3", "python3"),
        ("tmpab12_9xz", "tmp*"),
        ("tmp", "tmp"),
        ("sess_xK92bQ", "sess_??????"),
        ("upload.Ab3De9", "upload.??????"),
        ("README", "README"),
        ("Makefile", "Makefile"),
        ("2c1f9e0ab3d4", "[0-9a-fA-F]*"),
        ("cafebabe", "cafebabe"),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "*-*-*-*-*"),
        ("core.1f0c9a3b5d1e.gz", "core.[0-9a-fA-F]*.gz"),
        ("a*b?[c]", "a[*]b[?][[]c]"),
        ("caf\udce9", "caf?"),
    ],
)
def test_what_changes_in_a_name_becomes_a_wildcard_and_the_rest_stays(name: str, pattern: str) -> None:
    assert pattern_of(name) == pattern
    assert Glob("/" + pattern).matches("/" + name)


def test_a_folder_that_has_shown_many_names_stands_for_its_children() -> None:
    assert list(collapse([f"/var/log/{name}" for name in "abcdefghij"], MANY)) == ["/var/log/*"]
    assert list(collapse([f"/var/log/{name}" for name in "abc"], MANY)) == ["/var/log/a", "/var/log/b", "/var/log/c"]


def test_a_folder_whose_folders_have_shown_as_many_stands_for_all_below() -> None:
    assert list(collapse([f"/data/{one}/{two}" for one in "abcdefghij" for two in "klmnopqrst"], MANY)) == ["/data/**"]


def test_one_name_below_many_folders_stays_a_name() -> None:
    assert list(collapse([f"/data/{one}/index" for one in "abcdefghij"], MANY)) == ["/data/*/index"]


def test_names_that_differ_in_a_small_number_are_one() -> None:
    assert list(collapse([f"/var/log/app.{number}" for number in (1, 2, 10)], MANY)) == ["/var/log/app.[0-9]*"]
    assert list(collapse(["/var/log/app.1", "/var/log/app.2"], MANY)) == ["/var/log/app.1", "/var/log/app.2"]


def test_the_root_is_no_folder_that_stands_for_all() -> None:
    assert len(collapse([f"/{name}" for name in "abcdefghijklmnopqrst"], MANY)) == 20


def test_the_root_itself_is_a_path() -> None:
    assert collapse(["/"], MANY) == {"/": ["/"]}


NAMES = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.sampled_from(["a", "b", "1", "22", "333", "tmpabc12345", "1.2", "[", "*", "?", "**", "\udcff"]),
    st.from_regex(r"\A[a-z0-9A-F.-]{1,12}\Z"),
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))


@given(st.lists(PATHS, max_size=40), st.integers(2, 12))
def test_every_path_is_matched_by_its_pattern_and_every_pattern_is_valid(paths: list[str], many: int) -> None:
    found = collapse(paths, many)
    assert sorted(path for of_one in found.values() for path in of_one) == sorted(set(paths))
    for pattern, of_one in found.items():
        check(pattern)
        assert all(Glob(pattern).matches(path) for path in of_one)
        assert not pattern.startswith("/*") or any(path[1:].startswith(tuple("0123456789abcdefABCDEF")) for path in of_one)


@given(st.lists(PATHS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(paths: list[str], random: object) -> None:
    other = list(paths)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert collapse(paths, 4) == collapse(other, 4)


@given(st.lists(PATHS, max_size=40))
def test_what_is_below_a_wildcard_alone_was_shown_many_times(paths: list[str]) -> None:
    for pattern, of_one in collapse(paths, 5).items():
        folder, _, name = pattern.rpartition("/")
        if name in ("*", "**"):
            assert folder, "never all of the root"
            assert len(of_one) >= 5
