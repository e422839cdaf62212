"""A cgroup is a container's only where a runtime's own record claims it."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from agent.node.oci import Conflict, Decision, Runtimes, State
from agent.node.records import LIMIT
from model.origin import Container, Pod
from tests.node.records_on_disk import add_bundle, add_recorded, add_state, add_stored, recorded, spec

SECRETS = ("FAKE-not-a-secret", "FAKE-inline-value", "FAKE-user")


@pytest.fixture
def runtimes(tmp_path: Path) -> Runtimes:
    return Runtimes(host_root=str(tmp_path), fresh_s=0)


def test_a_pods_container_is_named_by_its_bundles_annotations(runtimes: Runtimes, tmp_path: Path) -> None:
    cgroup = add_recorded(tmp_path, "container")
    name = cgroup.rpartition("/")[2]
    assert runtimes.find(cgroup) == Container(
        cgroup=0,
        cgroup_path=cgroup,
        id=name,
        name="main",
        image="registry.local/busybox:1",
        runtime="containerd",
        namespace="k8s.io",
        pod=Pod("p-tag", "shop", "a8dafec9-5a74-4cd6-83a1-2318984b7967"),
        root=f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{name}/rootfs",
    )


def test_a_pods_sandbox_has_its_pod_and_no_name_of_its_own(runtimes: Runtimes, tmp_path: Path) -> None:
    found = runtimes.find(add_recorded(tmp_path, "sandbox"))
    assert isinstance(found, Container)
    assert (found.name, found.image, found.pod and found.pod.name) == ("", "registry.local/pause:1", "p-tag")


@pytest.mark.parametrize(
    ("kind", "privileged"), [("container", False), ("hardened", False), ("privileged", True), ("ephemeral", False)]
)
def test_a_privileged_container_is_told_by_what_engines_do_for_it(
    runtimes: Runtimes, tmp_path: Path, kind: str, privileged: bool
) -> None:
    found = runtimes.find(add_recorded(tmp_path, kind))
    assert isinstance(found, Container)
    assert found.privileged is privileged


def test_secrets_of_the_environment_are_in_nothing_that_is_kept(runtimes: Runtimes, tmp_path: Path) -> None:
    cgroup = add_recorded(tmp_path, "secrets")
    assert any(secret in json.dumps(recorded("secrets")) for secret in SECRETS)
    kept = [repr(runtimes.decide(cgroup)), repr(vars(runtimes)), msgspec.json.encode(runtimes.find(cgroup)).decode()]
    assert not [secret for secret in SECRETS for text in kept if secret in text]


def test_an_error_quotes_nothing_of_a_broken_bundle(tmp_path: Path, runtimes: Runtimes) -> None:
    file = add_bundle(tmp_path, "default", "x", spec("/default/x"))
    file.write_text('{"process": {"env": ["PASSWORD=FAKE-not-a-secret"]}, "linux": 7}')
    assert runtimes.find("/default/x") is None
    assert runtimes.unreadable == 1
    assert "FAKE" not in repr(vars(runtimes))


def test_a_container_of_ctr_is_named_by_its_id(runtimes: Runtimes, tmp_path: Path) -> None:
    add_bundle(tmp_path, "default", "web", spec("/default/web"))
    found = runtimes.find("/default/web")
    assert isinstance(found, Container)
    assert (found.id, found.name, found.runtime, found.namespace) == ("web", "web", "containerd", "default")


def test_systemds_form_of_a_cgroup_path_is_expanded(runtimes: Runtimes, tmp_path: Path) -> None:
    add_bundle(tmp_path, "k8s.io", "abc", spec("kubepods-besteffort-pod1.slice:cri-containerd:abc"))
    path = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-abc.scope"
    found = runtimes.find(path)
    assert isinstance(found, Container)
    assert found.id == "abc"


def test_docker_keeps_name_and_image_in_a_file_of_its_own(runtimes: Runtimes, tmp_path: Path) -> None:
    name = "f" * 64
    add_bundle(tmp_path, "moby", name, spec(f"system.slice:docker:{name}"))
    own = tmp_path / "var/lib/docker/containers" / name / "config.v2.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"Name": "/brave_bell", "Config": {"Image": "nginx:1", "Env": ["A=FAKE-not-a-secret"]}}))
    found = runtimes.find(f"/system.slice/docker-{name}.scope")
    assert isinstance(found, Container)
    assert (found.name, found.image, found.runtime) == ("brave_bell", "nginx:1", "docker")


def test_plain_runc_is_found_by_the_state_that_it_writes(runtimes: Runtimes, tmp_path: Path) -> None:
    add_state(tmp_path, "job", "/jobs/one", 7, 0, "io.kubernetes.cri.image-name=box:1")
    found = runtimes.find("/jobs/one")
    assert isinstance(found, Container)
    assert (found.id, found.name, found.image, found.runtime, found.root) == ("job", "job", "box:1", "runc", "/boxes/job/root")


def test_podman_names_are_in_the_storages_list(runtimes: Runtimes, tmp_path: Path) -> None:
    content = spec("machine.slice:libpod:abc", **{"io.container.manager": "libpod"})
    add_stored(tmp_path, "abc", content, "var/lib/containers/storage")
    rows = [{"id": "abc", "names": ["brave"], "metadata": json.dumps({"image-name": "docker.io/library/nginx:1"})}]
    (tmp_path / "var/lib/containers/storage/overlay-containers/containers.json").write_text(json.dumps(rows))
    found = runtimes.find("/machine.slice/libpod-abc.scope")
    assert isinstance(found, Container)
    assert (found.name, found.image, found.runtime) == ("brave", "docker.io/library/nginx:1", "podman")


def test_crio_writes_one_record_twice_and_claims_once(runtimes: Runtimes, tmp_path: Path) -> None:
    marks = {"io.container.manager": "cri-o", "io.kubernetes.container.name": "main", "io.kubernetes.pod.name": "p"}
    for folder in ("run/containers/storage", "var/lib/containers/storage"):
        add_stored(tmp_path, "abc", spec("kubepods-pod1.slice:crio:abc", **marks), folder)
    found = runtimes.find("/kubepods.slice/kubepods-pod1.slice/crio-abc.scope")
    assert isinstance(found, Container)
    assert (found.name, found.runtime) == ("main", "cri-o")


def test_two_containers_that_claim_one_cgroup_are_believed_neither(runtimes: Runtimes, tmp_path: Path) -> None:
    add_bundle(tmp_path, "default", "web", spec("/default/web"))
    add_bundle(tmp_path, "other", "forged", spec("/default/web"))
    claimants = ("containerd/default/web", "containerd/other/forged")
    assert runtimes.find("/default/web") == Conflict(claimants)
    assert runtimes.decide("/default/web") == Decision(State.UNIDENTIFIED, None, claimants)


def test_a_stopped_runc_container_claims_nothing_against_a_running_one(runtimes: Runtimes, tmp_path: Path) -> None:
    fields = " ".join(["S", *["0"] * 18, "4711"])
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/stat").write_text(f"7 (a) b) {fields}")
    add_state(tmp_path, "stopped", "/jobs/one", 7, 1)
    add_state(tmp_path, "running", "/jobs/one", 7, 4711)
    found = runtimes.find("/jobs/one")
    assert isinstance(found, Container)
    assert found.id == "running"


def test_runcs_state_below_containerd_is_no_second_claim(runtimes: Runtimes, tmp_path: Path) -> None:
    add_bundle(tmp_path, "default", "web", spec("/default/web"))
    bundle = "/run/containerd/io.containerd.runtime.v2.task/default/web"
    file = add_state(tmp_path, "web", "/default/web")
    state = json.loads(file.read_text())
    state["config"]["labels"] = [f"bundle={bundle}"]
    file.write_text(json.dumps(state))
    assert isinstance(runtimes.find("/default/web"), Container)


def test_a_cgroup_that_is_called_like_another_container_is_not_that_container(runtimes: Runtimes, tmp_path: Path) -> None:
    cgroup = add_recorded(tmp_path, "container")
    forged = "/kubepods/burstable/podx/" + cgroup.rpartition("/")[2]
    assert runtimes.find(forged) is None
    assert runtimes.decide(forged).state is State.UNIDENTIFIED


def test_a_cgroup_below_a_containers_is_that_containers(runtimes: Runtimes, tmp_path: Path) -> None:
    cgroup = add_recorded(tmp_path, "container")
    decision = runtimes.decide(f"{cgroup}/kubepods/pod1/{'a' * 64}")
    assert decision.container == runtimes.find(cgroup)


def test_a_record_that_appears_later_is_found_then(runtimes: Runtimes, tmp_path: Path) -> None:
    assert runtimes.decide("/jobs/one") == Decision(State.HOST, final=False)
    add_state(tmp_path, "job", "/jobs/one")
    assert runtimes.decide("/jobs/one").state is State.CONTAINER


def test_a_half_written_record_is_read_again_when_it_is_whole(runtimes: Runtimes, tmp_path: Path) -> None:
    file = add_state(tmp_path, "job", "/jobs/one")
    whole = file.read_text()
    file.write_text(whole[:40])
    assert runtimes.find("/jobs/one") is None
    file.write_text(whole)
    assert isinstance(runtimes.find("/jobs/one"), Container)


def test_a_bundle_on_its_way_out_is_ignored(runtimes: Runtimes, tmp_path: Path) -> None:
    add_bundle(tmp_path, "default", ".web", spec("/default/web"))
    assert runtimes.find("/default/web") is None


def test_a_record_that_is_gone_is_forgotten(runtimes: Runtimes, tmp_path: Path) -> None:
    file = add_state(tmp_path, "job", "/jobs/one")
    assert isinstance(runtimes.find("/jobs/one"), Container)
    file.unlink()
    assert runtimes.find("/jobs/one") is None
    assert not runtimes._known


@pytest.mark.parametrize("trap", ["fifo", "link", "folder", "large"])
def test_what_is_no_plain_small_file_is_no_record(runtimes: Runtimes, tmp_path: Path, trap: str) -> None:
    file = add_state(tmp_path, "job", "/jobs/one")
    whole = file.read_text()
    file.unlink()
    match trap:
        case "fifo":
            os.mkfifo(file)
        case "link":
            elsewhere = tmp_path / "elsewhere"
            elsewhere.write_text(whole)
            file.symlink_to(elsewhere)
        case "folder":
            file.mkdir()
        case _:
            file.write_text(whole + " " * LIMIT)
    assert runtimes.find("/jobs/one") is None
    assert runtimes.unreadable == 1
    runtimes.find("/jobs/one")
    assert runtimes.unreadable == 1, "counted once, not read again while it is unchanged"


def test_many_cgroups_at_once_cost_one_look(tmp_path: Path) -> None:
    runtimes = Runtimes(host_root=str(tmp_path), fresh_s=60)
    assert runtimes.find("/jobs/one") is None
    add_state(tmp_path, "job", "/jobs/one")
    assert runtimes.find("/jobs/one") is None


def test_another_root_of_a_runtime_can_be_named(tmp_path: Path) -> None:
    runtimes = Runtimes(host_root=str(tmp_path), cgroup_roots=("/batch",))
    assert runtimes.decide("/batch/1").state is State.UNIDENTIFIED
    assert runtimes.decide("/batch").state is State.HOST


def test_without_any_runtime_every_cgroup_is_decided_by_its_shape(tmp_path: Path) -> None:
    assert Runtimes(host_root=str(tmp_path / "nothing")).decide("/init.scope") == Decision(State.HOST)
