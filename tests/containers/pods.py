"""Pods as the kubelet makes them: CRI calls to a containerd of our own."""

import json
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as services

from tests.containers import cgroups
from tests.containers.containerd import IMAGE, PAUSE, Containerd
from tests.containers.runc import Result

NAMESPACE = "k8s.io"  # containerd's own, of all pods
PARENT = "/kubepods/besteffort"


@dataclass(frozen=True)
class Security:
    """What a pod's specification asks for."""

    privileged: bool = False
    host_network: bool = False
    host_pid: bool = False
    readonly: bool = False
    capabilities: tuple[str, ...] = ()  # without CAP_
    user: int = 0

    def namespaces(self) -> Any:
        return cri.NamespaceOption(
            network=cri.NODE if self.host_network else cri.POD,
            pid=cri.NODE if self.host_pid else cri.CONTAINER,
            ipc=cri.POD,
        )


class Pods:
    """The CRI of a containerd. `with Pods(containerd) as pods: with pods.pod("web") as pod: pod.container("app", …)`."""

    def __init__(self, containerd: Containerd) -> None:
        self.containerd = containerd
        self._channel = grpc.insecure_channel(f"unix://{containerd.socket}")
        stub: Any = services.RuntimeServiceStub  # generated without types
        self.runtime = stub(self._channel)

    def __enter__(self) -> Self:
        self.containerd.load(IMAGE, NAMESPACE)
        self.containerd.load(PAUSE, NAMESPACE, ("/bin/sleep", "2147483647"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._channel.close()
        cgroups.remove_if_empty(PARENT, "/kubepods")

    def pod(self, name: str, namespace: str = "default", security: Security | None = None) -> "Pod":
        """Make a pod's sandbox. A context manager that removes it with its containers."""
        return Pod(self, name, namespace, security or Security())


class Pod:
    """A sandbox: `uid` is Kubernetes' own, `id` the runtime's."""

    def __init__(self, pods: Pods, name: str, namespace: str, security: Security) -> None:
        self.pods, self.name, self.namespace, self.security = pods, name, namespace, security
        self.uid = str(uuid.uuid4())
        self.cgroup = f"{PARENT}/pod{self.uid}"
        self.logs = pods.containerd.folder / "pods" / self.uid
        self.logs.mkdir(parents=True)
        self.config = self._config()
        self.id: str = pods.runtime.RunPodSandbox(cri.RunPodSandboxRequest(config=self.config)).pod_sandbox_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def _config(self) -> Any:
        named = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        return cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=self.name, namespace=self.namespace, uid=self.uid),
            hostname="" if self.security.host_network else self.name,
            log_directory=str(self.logs),
            labels={f"io.kubernetes.pod.{key}": value for key, value in named.items()},
            linux=cri.LinuxPodSandboxConfig(
                cgroup_parent=self.cgroup,
                security_context=cri.LinuxSandboxSecurityContext(
                    namespace_options=self.security.namespaces(), privileged=self.security.privileged
                ),
            ),
        )

    def container(self, name: str, *args: str, mounts: tuple[tuple[Path, str], ...] = ()) -> "PodContainer":
        """Make and start a container in it; `mounts` are pairs of a host's path and the container's."""
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name),
            image=cri.ImageSpec(image=IMAGE),
            command=args or ("sleep", "100000"),
            log_path=f"{name}-{secrets.token_hex(2)}.log",
            labels={**self.config.labels, "io.kubernetes.container.name": name},
            mounts=[cri.Mount(host_path=str(source), container_path=target) for source, target in mounts],
            linux=cri.LinuxContainerConfig(security_context=self._security_context()),
        )
        request = cri.CreateContainerRequest(pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        made: str = self.pods.runtime.CreateContainer(request).container_id
        self.pods.runtime.StartContainer(cri.StartContainerRequest(container_id=made))
        return PodContainer(self, name, made)

    def _security_context(self) -> Any:
        return cri.LinuxContainerSecurityContext(
            namespace_options=self.security.namespaces(),
            privileged=self.security.privileged,
            readonly_rootfs=self.security.readonly,
            capabilities=cri.Capability(add_capabilities=self.security.capabilities),
            run_as_user=cri.Int64Value(value=self.security.user),
        )

    def remove(self) -> None:
        """Stop it and leave nothing."""
        self.pods.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=self.id))
        self.pods.runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=self.id))
        cgroups.remove(self.cgroup)


class PodContainer:
    """A container of a pod. `id` is the runtime's, 64 hexadecimal digits."""

    def __init__(self, pod: Pod, name: str, made: str) -> None:
        self.pod, self.name, self.id = pod, name, made
        self.cgroup = f"{pod.cgroup}/{made}"
        self.pid: int = self.info()["pid"]

    @property
    def cgroup_id(self) -> int:
        return cgroups.identity(self.cgroup)

    @property
    def bundle(self) -> Path:
        return self.pod.pods.containerd.state / "io.containerd.runtime.v2.task" / NAMESPACE / self.id

    def info(self) -> dict[str, Any]:
        """What containerd tells beyond CRI: pid, runtime specification."""
        request = cri.ContainerStatusRequest(container_id=self.id, verbose=True)
        told: dict[str, Any] = json.loads(self.pod.pods.runtime.ContainerStatus(request).info["info"])
        return told

    def exec(self, *argv: str, timeout_s: int = 30) -> Result:
        """Run a program in it to the end, as the kubelet runs a probe."""
        done = self.pod.pods.runtime.ExecSync(cri.ExecSyncRequest(container_id=self.id, cmd=argv, timeout=timeout_s))
        return Result.of(done.exit_code, done.stdout, done.stderr)
