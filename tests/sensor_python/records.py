"""Valid records as the kernel would send them; a test changes the one thing that matters."""

from struct import Struct

from agent.sensor import layout

Values = dict[str, int | bytes]
ACTOR: Values = {
    "by_container": 4711, "by_pid": 70_000, "by_started_ns": 5_000_000_000, "by_session": layout.SESSION_MAIN,
    "by_exe": 2**63 + 5, "by_euid": 1000, "by_comm": b"nginx", "time_ns": 7_000_000_000,
}  # fmt: skip
KEY = bytes(range(40))


def pack(struct: Struct, fields: tuple[str, ...], values: Values) -> bytes:
    """The struct with these values, zero elsewhere."""
    empty = dict(zip(fields, struct.unpack(bytes(struct.size)), strict=True))
    return struct.pack(*{**empty, **values}.values())


def record(kind: int, name: str, *texts: bytes, **values: int | bytes) -> bytes:
    """One record of the ring: `name` is the layout's, such as FILE_EVENT."""
    lengths = {f"texts_{number}": len(text) for number, text in enumerate(texts)}
    fields = getattr(layout, f"{name}_FIELDS")
    return pack(getattr(layout, name), fields, {**ACTOR, "kind": kind, **lengths, **values}) + b"".join(texts)


def exec_(path: bytes = b"/usr/bin/dash", argv: bytes = b"sh\0-c\0true\0", **values: int | bytes) -> bytes:
    texts = (path, b"", b"/srv", argv, b"pts0")
    usual: Values = {"file_layer": 1, "argv_bytes": len(argv)}
    return record(layout.KIND_EXEC, "EXEC_EVENT", *texts, **{**usual, **values})


def open_(path: bytes = b"/etc/hosts", **values: int | bytes) -> bytes:
    usual: Values = {"file_layer": 1, "access": 1, "key": KEY}
    return record(layout.KIND_OPEN, "FILE_EVENT", path, **{**usual, **values})


def change(before: bytes = b"/tmp/a", after: bytes = b"/tmp/b", **values: int | bytes) -> bytes:
    usual: Values = {"file_layer": 2, "target_layer": 2, "operation": layout.OPERATION_RENAME, "key": KEY}
    return record(layout.KIND_CHANGE, "CHANGE_EVENT", before, after, **{**usual, **values})


def net(**values: int | bytes) -> bytes:
    usual: Values = {
        "address": bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 7]),
        "port": 443,
        "direction": 1,
        "protocol": 6,
        "key": KEY,
    }
    return record(layout.KIND_NET, "NET_EVENT", **{**usual, "result": -1, **values})


def every_kind() -> dict[str, bytes]:
    """One valid record of each kind."""
    return {
        "exec": exec_(),
        "exit": record(layout.KIND_EXIT, "EXIT_EVENT", code=3 << 8),
        "open": open_(),
        "load": record(layout.KIND_LOAD, "FILE_EVENT", b"/tmp/x.so", file_layer=2, key=KEY),
        "many": record(layout.KIND_MANY, "FILE_EVENT", b"/tmp", file_layer=2, key=KEY),
        "change": change(),
        "net": net(),
        "socket": record(layout.KIND_SOCKET, "SOCKET_EVENT", family=17, type=3, protocol=768, key=KEY),
        "unix": record(layout.KIND_UNIX, "UNIX_EVENT", b"/run/docker.sock", file_layer=3, key=KEY),
        "dns": record(layout.KIND_DNS, "DNS_EVENT", dns_answer(), server=bytes(15) + b"\x01"),
        "cgroup": record(layout.KIND_CGROUP, "CGROUP_EVENT", b"/pods/x", id=4711, parent=1, alive=1),
        "handover": record(layout.KIND_HANDOVER, "HANDOVER_EVENT", mount_namespace=9, mounts=12),
        "mount": record(layout.KIND_MOUNT, "MOUNT_EVENT", b"/", b"/", superblock=2**63, dev=42, is_root=1),
        "left": record(layout.KIND_LEFT, "LEFT_EVENT", cgroup=1),
        "privilege": record(layout.KIND_PRIVILEGE, "PRIVILEGE_EVENT", after=1 << 21, before_euid=1000),
    }


def dns_answer(name: bytes = b"\x03www\x07example\x03org\x00", answers: bytes | None = None, count: int = 1) -> bytes:
    """An answer to an A question; one address of it unless told otherwise."""
    if answers is None:
        answers = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
    return b"\x12\x34\x81\x80" + Struct(">4H").pack(1, count, 0, 0) + name + b"\x00\x01\x00\x01" + answers
