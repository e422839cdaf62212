"""Containers of a real containerd, by ctr and as pods, that leave nothing."""

import json
from pathlib import Path

from tests.containers import cgroups, image, processes
from tests.containers.containerd import Containerd
from tests.containers.pods import Pods, Security
from tests.containers.workshop import Workshop


def test_ctr_runs_a_container_in_the_cgroup_of_its_namespace_and_name(containerd: Containerd) -> None:
    with containerd.ctr_run("web", "sleep", "77") as task:
        assert Path(f"/proc/{task.pid}/cgroup").read_text().endswith("0::/vedette-test/web\n")
        assert json.loads((task.bundle / "config.json").read_text())["process"]["args"] == ["sleep", "77"]
        assert task.exec("echo", "hello").out == "hello\n"
    assert not processes.alive(task.pid)
    assert not [root for root in cgroups.roots() if (root / "vedette-test/web").exists()]


def test_ctr_takes_options(containerd: Containerd) -> None:
    with containerd.ctr_run("", options=("--privileged", "--net-host", "--annotation", "team=web")) as task:
        assert json.loads((task.bundle / "config.json").read_text())["annotations"] == {"team": "web"}
        assert Path(f"/proc/{task.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()


def test_containers_outlive_a_restart_of_the_daemon(containerd: Containerd) -> None:
    with containerd.ctr_run("") as task:
        containerd.stop()
        assert processes.alive(task.pid)
        containerd.start()
        assert task.exec("true").code == 0


def test_a_pod_is_made_as_the_kubelet_makes_it(pods: Pods) -> None:
    with pods.pod("web", "shop") as pod:
        app = pod.container("app", "sleep", "77")
        annotations = json.loads((app.bundle / "config.json").read_text())["annotations"]
        assert Path(f"/proc/{app.pid}/cgroup").read_text().endswith(f"0::/kubepods/besteffort/pod{pod.uid}/{app.id}\n")
        assert annotations["io.kubernetes.cri.sandbox-namespace"] == "shop"
        assert annotations["io.kubernetes.cri.image-name"] == "registry.local/box:1"
        assert app.exec("hostname").out == "web\n"
        assert app.exec("sh", "-c", "exit 3").code == 3
    assert not (cgroups.v2_root() / "kubepods/besteffort" / f"pod{pod.uid}").exists()


def test_a_pod_may_share_the_host_and_be_privileged(pods: Pods) -> None:
    with pods.pod("agent", security=Security(privileged=True, host_pid=True, host_network=True)) as pod:
        app = pod.container("app")
        assert Path(f"/proc/{app.pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
        assert Path(f"/proc/{app.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
        assert "CapEff:\t000001ff" in app.exec("cat", "/proc/self/status").out


def test_the_image_s_archive_is_the_same_byte_for_byte(workshop: Workshop, tmp_path: Path) -> None:
    first = image.archive(workshop.image, "registry.local/box:1", tmp_path / "a")
    second = image.archive(workshop.image, "registry.local/box:1", tmp_path / "b")
    assert first == second
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
