"""Which containers a policy is for: by name, by image, by the pod's namespace."""

from msgspec import Struct

from model.glob import Glob
from model.origin import Container

_HUB = "docker.io"


class Selector(Struct, frozen=True):
    """All that is said must fit; of several names or images, one. `*` alone fits everything, the unknown too."""

    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    namespace: str = ""  # of the pod

    def fits(self, container: Container) -> bool:
        """Whether this is one of the containers. Cost: microseconds; done once a container."""
        if self.namespace and (container.pod is None or container.pod.namespace != self.namespace):
            return False
        if self.names and not any(_matches(name, container.name) for name in self.names):
            return False
        return not self.images or any(matches_image(pattern, container.image) for pattern in self.images)


def matches_image(pattern: str, image: str) -> bool:
    """Whether an image reference fits. Without tag or digest the pattern stands for every one of that repository."""
    if pattern in ("*", "**"):
        return True
    if not image:
        return False
    name, tag, digest = split_image(image)
    if "@" in pattern:
        return digest != "" and _matches(_full(pattern), f"{name}@{digest}")
    if ":" in pattern.rpartition("/")[2]:
        return tag != "" and _matches(_full(pattern), f"{name}:{tag}")
    return _matches(_full(pattern), name)


def split_image(image: str) -> tuple[str, str, str]:
    """The repository's full name, tag, digest. `nginx:1.27` → (`docker.io/library/nginx`, `1.27`, ``)."""
    named, _, digest = image.partition("@")
    head, slash, last = named.rpartition("/")
    repository, _, tag = last.partition(":")
    return _full(head + slash + repository), tag, digest


def _full(name: str) -> str:
    """With the registry that the engines leave out."""
    first, slash, _ = name.partition("/")
    if first in ("*", "**", "localhost") or (slash and ("." in first or ":" in first)):
        return name
    return f"{_HUB}/{name}" if slash else f"{_HUB}/library/{name}"


def _matches(pattern: str, text: str) -> bool:
    return pattern == "*" or Glob("/" + pattern).matches("/" + text)
