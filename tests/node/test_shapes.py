"""What a cgroup's path alone says, where no record claims it."""

import pytest

from agent.node.shapes import Shape, shape_of

X = "c" * 64
UID = "3bd8807c-3efc-45e8-a233-c62537a10257"
SLICE = f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID.replace('-', '_')}.slice"


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods/besteffort/pod{UID}/{X}",
        f"/kubepods/pod{UID}/{X}",
        f"{SLICE}/cri-containerd-{X}.scope",
        f"{SLICE}/crio-{X}.scope",
        f"/kubelet/kubepods/burstable/pod{UID}/{X}",
        f"/docker/{X}",
        f"/system.slice/docker-{X}.scope",
        f"/system.slice/docker-{X}.scope/below",
        f"/machine.slice/libpod-{X}.scope",
        f"/libpod_parent/libpod-{X}",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{X}.scope/container",
        "/kubepods/besteffort/x",
        "",
    ],
)
def test_what_lies_below_a_runtimes_root_is_never_taken_for_the_host(path: str) -> None:
    assert shape_of(path) is Shape.RUNTIME


@pytest.mark.parametrize(
    "path", ["/", "/kubepods", "/kubepods/besteffort", f"/kubepods/besteffort/pod{UID}", f"/kubepods/pod{UID}", SLICE, "/docker"]
)
def test_what_only_holds_containers_is_no_container(path: str) -> None:
    assert shape_of(path) is Shape.PARENT


@pytest.mark.parametrize(
    "path",
    [
        "/system.slice/docker.service",
        "/system.slice/containerd.service",
        "/system.slice/docker-cleanup.service",
        "/user.slice/user-0.slice/session-3.scope",
        "/init.scope",
        "/system.slice",
        f"/machine.slice/libpod-conmon-{X}.scope",
    ],
)
def test_systemds_own_units_are_the_hosts(path: str) -> None:
    assert shape_of(path) is Shape.UNIT


@pytest.mark.parametrize("path", ["/default/web", "/system.slice/runc-job.scope", "/jobs/one"])
def test_any_other_name_may_yet_be_claimed(path: str) -> None:
    assert shape_of(path) is Shape.OTHER
