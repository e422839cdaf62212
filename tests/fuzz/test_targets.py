import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", list(TARGETS))
def test_the_parser_refuses_any_bytes_only_with_the_error_that_it_promises(name: str) -> None:
    @few
    @given(st.binary(max_size=600))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()


@pytest.mark.parametrize("name", ["runtime_files", "records"])
def test_the_parser_takes_any_json_likewise(name: str) -> None:
    words = st.sampled_from(
        ["kind", "event", "id", "linux", "annotations", "config", "cgroup_paths", "process", "root", "schema"]
    )
    leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20)
    trees = st.recursive(
        leaves, lambda below: st.lists(below, max_size=4) | st.dictionaries(words, below, max_size=6), max_leaves=20
    )

    @few
    @given(trees)
    def holds(tree: object) -> None:
        TARGETS[name](json.dumps(tree).encode())

    holds()
