"""Valid events, containers and policies; a test changes the one thing that matters."""

from model.event import (
    Access,
    Actor,
    Change,
    Direction,
    Exec,
    File,
    Flag,
    Layer,
    Load,
    Net,
    Open,
    Operation,
    Protocol,
    Session,
    Unix,
)
from model.judge import Compiled, compile  # noqa: A004 - that's what it does
from model.origin import Container, Origin, Pod
from model.policy import Policy, parse

NO = Flag(0)
HEAD = "apiVersion: vedette.dev/v1alpha1\nkind: Policy\n"


def container(name: str = "web", image: str = "registry.example.com/shop/web:1.2", namespace: str = "shop") -> Container:
    return Container(7, "/pods/7", "f00d", name, image, "containerd", pod=Pod("web-1", namespace, "uid"))


WEB = container()
ORIGIN = Origin(WEB, None)


def policy(spec: str, name: str = "p", select: str = '{containers: {names: ["*"]}}', mode: str = "alert") -> Policy:
    """One policy of `spec`'s verbs, one a line."""
    lines = "".join(f"  {line}\n" for line in spec.strip().splitlines())
    text = f"{HEAD}metadata: {{name: {name}}}\nspec:\n  select: {select}\n  mode: {mode}\n{lines}"
    return parse(text, f"{name}.yaml")[0]


def compiled(*policies: Policy | str) -> Compiled:
    made = [one if isinstance(one, Policy) else policy(one, f"p{number}") for number, one in enumerate(policies)]
    return compile(made, WEB, 1)


def actor(session: Session = Session.MAIN, pid: int = 42, exe: int = 9, euid: int = 0, tty: bool = False) -> Actor:
    return Actor(7, pid, 1000, 1, 1, 1, 1, session, exe, euid, tty, "web")


def file(path: str, layer: Layer = Layer.IMAGE, flags: Flag = NO) -> File:
    return File(path, layer, flags, 10, 20, 30, 40, 50)


def exec_(path: str, layer: Layer = Layer.IMAGE, flags: Flag = NO, script: File | None = None, by: Actor | None = None) -> Exec:
    return Exec(
        1, by or actor(), file(path, layer, flags), script, (path,), 10, "/", "", 0, 0, 0, 0, 0, False, 0, (), False
    )  # fmt: skip


def load(path: str, layer: Layer = Layer.WRITABLE, flags: Flag = NO) -> Load:
    return Load(1, actor(), file(path, layer, flags), b"")


def open_(
    path: str, layer: Layer = Layer.WRITABLE, access: Access = Access.READ, flags: Flag = NO, by: Actor | None = None
) -> Open:
    return Open(1, by or actor(), file(path, layer, flags), access, b"")


def write(path: str, layer: Layer = Layer.WRITABLE, flags: Flag = NO) -> Open:
    return open_(path, layer, Access.WRITE, flags)


def rename(before: str, after: str, layer: Layer = Layer.WRITABLE) -> Change:
    return Change(1, actor(), Operation.RENAME, file(before, layer), file(after, layer), 0o644, 0, b"")


def connect(address: str, port: int = 443, protocol: Protocol = Protocol.TCP) -> Net:
    return Net(1, actor(), Direction.EGRESS, protocol, address, port, 40000, 0, b"")


def listen(port: int, address: str = "0.0.0.0", protocol: Protocol = Protocol.TCP) -> Net:  # noqa: S104 - an example
    return Net(1, actor(), Direction.LISTEN, protocol, address, port, 0, 0, b"")


def unix(path: str = "", abstract: str = "", layer: Layer = Layer.TMPFS, flags: Flag = NO) -> Unix:
    return Unix(1, actor(), file(path, layer, flags) if path else None, abstract, 0, b"")
