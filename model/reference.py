"""An image reference taken apart, as the engines read it: host, path, tag, digest."""

from msgspec import Struct

_HUB = "docker.io"
_HUBS = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Reference(Struct, frozen=True):
    """`nginx:1.27` is docker.io, library/nginx, 1.27, and no digest."""

    host: str  # with its port; docker.io where the reference names none
    path: str
    tag: str  # "" where none is written: the engines then take latest
    digest: str  # sha256:…, or ""

    @property
    def repository(self) -> str:
        """host/path."""
        return f"{self.host}/{self.path}"

    def is_in(self, registry: str) -> bool:
        """Whether it is of this registry, or below this path of it. Hosts are compared whole, with their ports."""
        host, _, path = registry.partition("/")
        if canonical_host(host) != self.host:
            return False
        return not path or self.path == path or self.path.startswith(f"{path}/")


def canonical_host(host: str) -> str:
    """One name for the registry that has several."""
    host = host.lower()
    return _HUB if host in _HUBS else host


def reference(image: str) -> Reference:
    """The parts of a reference. What is none comes out as parts that equal nothing sensible; nothing is raised."""
    named, _, digest = image.partition("@")
    head, slash, last = named.rpartition("/")
    repository, _, tag = last.partition(":")
    host, path = _split_host(head + slash + repository)
    return Reference(host, path, tag, digest)


def _split_host(name: str) -> tuple[str, str]:
    """A first part is a host if it has a dot, a port, or is localhost."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host = canonical_host(first)
        return host, rest if "/" in rest or host != _HUB else f"library/{rest}"
    return _HUB, name if slash else f"library/{name}"
