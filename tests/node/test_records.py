"""The runtimes' records may hold anything: they are used, or refused with our own error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.node.records import Record, RecordError, claimed_path, parse_bundle, parse_docker, parse_state, parse_stored
from tests.node.records_on_disk import recorded

SECRET = "FAKE-not-a-secret"  # noqa: S105 - says so itself
MOUNTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")

keys = st.sampled_from(
    [
        *("linux", "cgroupsPath", "annotations", "root", "path", "process", "capabilities", "bounding", "env", "maskedPaths"),
        *("id", "config", "cgroup_paths", "labels", "cgroups", "rootfs", "Name", "Config", "Image", "names", "metadata", ""),
        *("io.kubernetes.cri.container-name", "init_process_pid", "seccomp"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | keys | st.just("/a/b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)


def survive(raw: bytes) -> list[object]:
    """Every parser takes it or refuses it by RecordError."""
    kept: list[object] = []
    for parse in (
        lambda: parse_bundle(raw, "id", "/bundle"),
        lambda: parse_state(raw, MOUNTS),
        lambda: parse_docker(raw),
        lambda: parse_stored(raw),
    ):
        try:
            kept.append(parse())
        except RecordError as error:
            kept.append(str(error))
    return kept


@given(st.binary())
def test_any_bytes_are_survived(raw: bytes) -> None:
    survive(raw)


@given(values)
def test_any_json_is_survived(value: Any) -> None:
    survive(json.dumps(value).encode())


@given(st.sampled_from(["container", "sandbox", "secrets"]), st.data())
def test_a_recorded_bundle_with_any_part_replaced_is_survived(kind: str, data: st.DataObject) -> None:
    content = recorded(kind)
    where: Any = content
    while True:
        key = data.draw(st.sampled_from(sorted(where)))
        if not isinstance(where[key], dict) or not where[key] or data.draw(st.booleans()):
            where[key] = data.draw(values)
            break
        where = where[key]
    survive(json.dumps(content).encode())


@given(values)
def test_what_is_in_the_environment_is_never_kept(value: Any) -> None:
    secret = {"process": {"env": [SECRET, value], "args": [SECRET]}, "config": {"Env": [SECRET]}, "env": SECRET}
    kept = survive(json.dumps({"id": "x", "linux": {"cgroupsPath": "/a"}, **secret}).encode())
    assert SECRET not in repr(kept)


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"linux":' * 100_000, b'{"process":{"env":' + b"[" * 100_000])
def test_deep_nesting_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordError):
        parse_bundle(raw, "id", "/bundle")


def test_a_name_that_is_too_long_is_refused() -> None:
    content = {"annotations": {"io.kubernetes.cri.container-name": "x" * 5000}}
    with pytest.raises(RecordError, match="longer"):
        parse_bundle(json.dumps(content).encode(), "id", "/bundle")


def test_a_name_with_control_characters_is_kept_as_it_is() -> None:
    content = {"annotations": {"io.kubernetes.cri.container-name": "a\n\\b"}}
    assert parse_bundle(json.dumps(content).encode(), "id", "/bundle").name == "a\n\\\\b"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/kubepods/pod1/abc", "/kubepods/pod1/abc"),
        ("relative/abc", "/relative/abc"),
        ("/a//b/./c/", "/a/b/c"),
        ("/a/../b", ""),
        ("/", ""),
        ("", ""),
        ("system.slice:docker:abc", "/system.slice/docker-abc.scope"),
        ("a-b-c.slice:crio:abc", "/a.slice/a-b.slice/a-b-c.slice/crio-abc.scope"),
        (":runc:abc", "/system.slice/runc-abc.scope"),
        ("-.slice:runc:abc", "/runc-abc.scope"),
        ("user.slice::abc", "/user.slice/abc.scope"),
        ("user.slice:x:abc.slice", "/user.slice/abc.slice"),
        ("/odd:name:here", "/odd:name:here"),
        ("/a\0b", ""),
    ],
)
def test_a_cgroup_path_is_read_as_the_runtimes_mean_it(text: str, path: str) -> None:
    assert claimed_path(text) == path


@given(st.text())
def test_a_claim_is_a_whole_path_or_nothing(text: str) -> None:
    path = claimed_path(text)
    assert path == "" or (path.startswith("/") and ".." not in path.split("/") and not path.endswith("/"))


def _state(**changes: object) -> Record:
    content = {"id": "x", "config": {"cgroups": {"path": "/from/config"}}, **changes}
    return parse_state(json.dumps(content).encode(), MOUNTS)


def test_runcs_cgroup_is_the_one_of_the_unified_hierarchy() -> None:
    paths = {"": "/sys/fs/cgroup/unified/jobs/one", "pids": "/sys/fs/cgroup/pids/other"}
    assert _state(cgroup_paths=paths).cgroup == "/jobs/one"


def test_runcs_cgroup_is_the_configured_one_where_the_mounts_are_not_ours() -> None:
    assert _state(cgroup_paths={"": "/elsewhere/jobs/one"}).cgroup == "/from/config"
    systemd = {"cgroups": {"parent": "system.slice", "scope_prefix": "runc", "name": "x"}}
    assert _state(config=systemd).cgroup == "/system.slice/runc-x.scope"
