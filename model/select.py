"""Which containers a policy is for: by name, by image, by the pod's namespace. What only Kubernetes knows selects nothing yet."""

from collections.abc import Iterable

from msgspec import Struct

from model.glob import Glob
from model.origin import Container
from model.reference import canonical_host, reference


class Selector(Struct, frozen=True):
    """All that is said must fit; of several names or images, one. `*` alone fits everything, the unknown too."""

    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    namespace: str = ""  # of the pod; the policy's own
    namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # app, init, sidecar, debug
    labels: tuple[tuple[str, str], ...] = ()
    workloads: tuple[str, ...] = ()

    @property
    def waits(self) -> tuple[str, ...]:
        """What it says that only Kubernetes knows: until then it selects nothing."""
        said = (("containers.kinds", self.kinds), ("labels", self.labels), ("workloads", self.workloads))
        return tuple(word for word, values in said if values)

    def fits(self, container: Container) -> bool:
        """Whether this is one of the containers. Cost: microseconds; done once a container."""
        if self.kinds or self.labels or self.workloads:
            return False
        namespace = container.pod.namespace if container.pod is not None else ""
        if self.namespace and namespace != self.namespace:
            return False
        if self.namespaces and not _any(self.namespaces, namespace):
            return False
        if self.names and not _any(self.names, container.name):
            return False
        return not self.images or any(matches_image(pattern, container.image) for pattern in self.images)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(_matches(pattern, text) for pattern in patterns)


def matches_image(pattern: str, image: str) -> bool:
    """Whether an image reference fits. Without tag or digest the pattern stands for every one of that repository."""
    if pattern in ("*", "**"):
        return True
    if not image:
        return False
    found = reference(image)
    if "@" in pattern:
        return found.digest != "" and _matches(_full(pattern), f"{found.repository}@{found.digest}")
    if ":" in pattern.rpartition("/")[2]:
        return found.tag != "" and _matches(_full(pattern), f"{found.repository}:{found.tag}")
    return _matches(_full(pattern), found.repository)


def _full(pattern: str) -> str:
    """With the registry that the engines leave out."""
    first, slash, rest = pattern.partition("/")
    hub = canonical_host("docker.io")
    if first in ("*", "**"):
        return pattern
    if slash and ("." in first or ":" in first or first == "localhost"):
        host = canonical_host(first)
        return f"{host}/{rest}" if host != hub or any(char in rest for char in "/*?[") else f"{host}/library/{rest}"
    return f"{hub}/{pattern}" if slash else f"{hub}/library/{pattern}"


def _matches(pattern: str, text: str) -> bool:
    if pattern in ("*", text):
        return True
    return any(char in pattern for char in "*?[") and Glob("/" + pattern).matches("/" + text)
