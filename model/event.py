"""What the kernel reports, one class a kind, with unit and source of every field.

Times are nanoseconds of the boot clock (CLOCK_BOOTTIME). Text is in the reversible form of `model.text`. Paths are as the
container's first mount table names them; a file that no mount of the container holds keeps its path inside its filesystem.
"""

from enum import IntEnum, IntFlag, StrEnum
from typing import Self, TypeAlias

from msgspec import Struct


class Word(StrEnum):
    """A word in records; `number` is what the border with the kernel has for it."""

    number: int

    def __new__(cls, word: str, number: int) -> Self:  # noqa: D102 - makes the members below
        member = str.__new__(cls, word)
        member._value_ = word
        member.number = number
        return member


class Session(Word):
    """How a process came into its container."""

    RUNTIME = "runtime", 1  # the runtime's own steps before the handover (runc init): recorded, never learned, never judged
    MAIN = "main", 2  # the container's own program and what it started
    EXEC = "exec", 3  # entered later from outside: `docker exec`, `kubectl exec`, nsenter
    STANDING = "standing", 4  # was running before the agent: whether main or exec can't be known


class Layer(Word):
    """Where a file's bytes live."""

    IMAGE = "image", 1  # the image's own read-only layers
    WRITABLE = "writable", 2  # the container's writable layer: created or changed since it started
    VOLUME = "volume", 3  # another filesystem that the runtime mounted: bind mount, volume
    TMPFS = "tmpfs", 4  # memory filesystem that the runtime mounted
    NEW_MOUNT = "new_mount", 5  # a filesystem that the runtime did not mount: no path rule allows what is on it
    MEMFD = "memfd", 6  # anonymous memory: memfd_create
    PROC = "proc", 7  # procfs, not below a process's folder
    PROC_SELF = "proc_self", 8  # procfs, the process's own folder
    PROC_OTHER = "proc_other", 9  # procfs, another process's folder
    ROOT = "root", 10  # a root filesystem without layers: image and changes can't be told apart
    HOST = "host", 11  # the host's own mount namespace, seen in the runtime's steps only


class Flag(IntFlag):
    """What is special about the file or the way it was reached. Bits of `struct file_id.flags`."""

    DELETED = 1  # no name leads to it any more
    DISCONNECTED = 2  # its names do not reach the filesystem's root
    CUT = 4  # the path was longer than is kept (4 KiB or 64 names): never allowed by path
    UNSTABLE = 8  # renamed while its path was read: never allowed by path
    COMPAT = 16  # by a 32-bit system call
    URING = 32  # by io_uring
    SUSPECT_FD = 64  # another thread may have swapped the descriptor: the file may be another one
    OUTSIDE = 128  # on a known filesystem, but below none of the container's mounts (set by the agent)
    CLAIMED = 256  # the kernel could not confirm the name: it is the string that the program passed


class Access(IntFlag):
    """What an open asked for."""

    READ = 1
    WRITE = 2
    CREATE = 4  # the file was made by this open
    TRUNCATE = 8  # and emptied, which an open for reading can ask for too
    APPEND = 16


class Operation(Word):
    """How a file was changed without an open."""

    RENAME = "rename", 1
    LINK = "link", 2
    SYMLINK = "symlink", 3
    UNLINK = "unlink", 4
    RMDIR = "rmdir", 5
    MKDIR = "mkdir", 6
    TRUNCATE = "truncate", 7
    CHMOD = "chmod", 8
    CHOWN = "chown", 9
    MKNOD = "mknod", 10
    MOUNT = "mount", 11
    UNMOUNT = "unmount", 12
    XATTR = "xattr", 13


class Protocol(IntEnum):
    """IANA protocol numbers, as the socket has them."""

    ANY = 0
    ICMP = 1
    TCP = 6
    UDP = 17
    ICMPV6 = 58
    SCTP = 132


class Actor(Struct, frozen=True, gc=False):
    """The process that did it, as its task storage says (`struct actor`)."""

    container: int  # cgroup id of the container
    pid: int  # tgid in the host's pid namespace
    started_ns: int  # with pid the identity of a process
    creator_pid: int  # who forked it (not the parent, which can be chosen)
    creator_started_ns: int
    ancestor_pid: int  # the nearest process up the creators that replaced its program; 0 if none is known
    ancestor_started_ns: int
    session: Session
    exe: int  # hash of the running program's device, real inode, generation, ctime
    euid: int
    tty: bool
    comm: str


class File(Struct, frozen=True, gc=False):
    """A file as the kernel resolved it, never the string that the program passed (`struct file_id` and its text)."""

    path: str  # as the container names it
    layer: Layer
    flags: Flag
    device: int  # st_dev as the container sees it
    inode: int  # the real one: on overlay the upper's or lower's
    real_device: int  # the device of that inode
    generation: int
    ctime_ns: int  # of programs and code; 0 for others


class Exec(Struct, frozen=True, gc=False, tag="exec", tag_field="kind"):
    """A process replaced its program. One per successful execve, from tp_btf/sched_process_exec."""

    time_ns: int
    actor: Actor
    file: File  # for a script: the interpreter
    script: File | None
    argv: tuple[str, ...]
    argv_bytes: int  # the true length of all arguments; more than 4096 means that argv is cut
    cwd: str
    tty: str  # "" without a controlling terminal
    uid: int
    gid: int
    login_uid: int  # 4294967295: never logged in
    capabilities: int  # effective set, bit n is capability n
    permitted: int
    no_new_privs: bool
    seccomp: int  # 0 off, 1 strict, 2 filter
    code_environment: tuple[str, ...]  # names of variables that load code: LD_PRELOAD, PYTHONPATH …; never values
    setuid: bool  # the program's file raised privileges
    standing: bool = False  # it ran already: before the agent, or before the policies changed


class Exit(Struct, frozen=True, gc=False, tag="exit", tag_field="kind"):
    """A process ended that had replaced its program. From tp_btf/sched_process_exit of its last thread."""

    time_ns: int
    actor: Actor
    status: int  # exit code 0-255
    signal: int  # the signal that ended it, or 0
    duration_ns: int


class Open(Struct, frozen=True, gc=False, tag="open", tag_field="kind"):
    """First sight of a file opened in this way by this program, from the exit of open*, or io_uring's completion."""

    time_ns: int
    actor: Actor
    file: File
    access: Access
    flow: bytes  # the flow's key: 40 bytes
    standing: bool = False  # nothing new happened: it was so before the agent, or is remembered and was judged by other policies


class Many(Struct, frozen=True, gc=False, tag="many", tag_field="kind"):
    """Below this folder a container's files are from now on only counted, not named: its quota of flows is spent."""

    time_ns: int
    actor: Actor
    file: File  # the folder
    access: Access  # of the open that made it so
    flow: bytes  # as the folder's counts have it


class Load(Struct, frozen=True, gc=False, tag="load", tag_field="kind"):
    """First sight of a file mapped executable that is not from the image. From the exit of mmap and mprotect."""

    time_ns: int
    actor: Actor
    file: File
    flow: bytes
    standing: bool = False


class Change(Struct, frozen=True, gc=False, tag="change", tag_field="kind"):
    """First sight of a change to a file's name or attributes. From the kernel's ctime stamps and the call's exit."""

    time_ns: int
    actor: Actor
    operation: Operation
    file: File  # before; for what is created: after
    target: File | None  # after: rename, link
    mode: int  # file mode after the call, with the set-user-id and set-group-id bits
    owner: int  # uid after the call
    flow: bytes
    standing: bool = False


class Direction(Word):
    """Of a network flow."""

    EGRESS = "egress", 1  # connect, or a datagram sent
    INGRESS = "ingress", 2  # accepted
    LISTEN = "listen", 3
    BIND = "bind", 4  # a datagram socket bound to a port


class Net(Struct, frozen=True, gc=False, tag="net", tag_field="kind"):
    """First sight of a network peer or a listening port. From cgroup hooks and tp_btf/inet_sock_set_state."""

    time_ns: int
    actor: Actor
    direction: Direction
    protocol: Protocol
    address: str  # the peer's, or for listen the local one; IPv4-mapped addresses are written as IPv4
    port: int
    local_port: int  # 0 where the hook doesn't know it
    result: int  # errno, or 0; -1 where the hook doesn't know it
    flow: bytes
    name: str = ""  # the DNS name that this container last looked the address up by
    standing: bool = False


class Socket(Struct, frozen=True, gc=False, tag="socket", tag_field="kind"):
    """First sight of a raw, packet, netlink, vsock or alg socket being made."""

    time_ns: int
    actor: Actor
    family: int  # AF_*
    type: int  # SOCK_*
    protocol: int
    flow: bytes
    standing: bool = False


class Unix(Struct, frozen=True, gc=False, tag="unix", tag_field="kind"):
    """First sight of a connection to an AF_UNIX socket. By the peer's bound file or abstract name."""

    time_ns: int
    actor: Actor
    file: File | None  # the socket's file
    abstract: str  # its abstract name, without the leading NUL
    result: int
    flow: bytes
    standing: bool = False


class Dns(Struct, frozen=True, gc=False, tag="dns", tag_field="kind"):
    """A DNS answer that the container's socket received from port 53, or a query that it sent there, parsed in user space.

    From cgroup_skb/ingress and egress. The process is not known: its connect or sendto is an event of its own.
    """

    time_ns: int
    container: int
    server: str
    name: str
    type: int  # RR type asked for
    rcode: int  # -1: a query
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]  # CNAMEs on the way
    ttl_s: int


class Cgroup(Struct, frozen=True, gc=False, tag="cgroup", tag_field="kind"):
    """A cgroup was made, removed, or emptied. From tp_btf/cgroup_mkdir, cgroup_rmdir."""

    time_ns: int
    id: int
    parent: int
    path: str
    alive: bool


class Handover(Struct, frozen=True, gc=False, tag="handover", tag_field="kind"):
    """The runtime handed a container over to its own first program."""

    time_ns: int
    actor: Actor
    mount_namespace: int


class Mount(Struct, frozen=True, gc=False, tag="mount", tag_field="kind"):
    """One row of a container's first mount table, noted in the kernel at the handover."""

    time_ns: int
    container: int
    superblock: int  # the kernel's pointer: an identity that is not handed out again while mounted
    device: int
    root: str  # the mounted folder inside its filesystem
    point: str  # where the container sees it
    filesystem: int  # magic number
    is_root: bool  # the container's root filesystem


class Left(Struct, frozen=True, gc=False, tag="left", tag_field="kind"):
    """A process of a container was moved to a cgroup outside of it. It stays the container's (`cgroup` is the new one)."""

    time_ns: int
    actor: Actor
    cgroup: int


class Privilege(Struct, frozen=True, gc=False, tag="privilege", tag_field="kind"):
    """Credentials grew without exec or setuid: effective user id to 0, or capabilities that were not there."""

    time_ns: int
    actor: Actor
    before_euid: int
    before: int  # capabilities
    after: int


class Conflict(Struct, frozen=True, gc=False, tag="conflict", tag_field="kind"):
    """Several runtimes' records claim one cgroup: none of them is believed. From the records on disk."""

    time_ns: int
    container: int
    claimants: tuple[str, ...]  # runtime/namespace/id


class Program(Struct, frozen=True, gc=False, tag="program", tag_field="kind"):
    """What the bytes of an executed or loaded file are. Once a file (device, real inode, generation, ctime)."""

    time_ns: int
    container: int
    file: File
    sha256: str  # "" if it could not be read
    error: str  # why not


class FlowCount(Struct, frozen=True, gc=False, tag="count", tag_field="kind"):
    """How often a known flow was seen. Monotone since its first sight; from the sweep of the flow map."""

    time_ns: int
    flow: bytes
    container: int
    seen: Session
    what: int  # kind of the counted event, as on the border
    count: int
    added: int  # since the last such event
    first_ns: int
    last_ns: int
    last_pid: int
    last_started_ns: int  # low 32 bits of the start time in microseconds
    text: str  # the folder or network that is counted as one; the file's path where the first sight could not be sent; else ""
    final: bool = False  # the container ended, or the flow was idle and is forgotten


class Gap(Struct, frozen=True, gc=False, tag="gap", tag_field="kind"):
    """Something was not itemised: how many events, of which kind, where they were lost and why."""

    time_ns: int
    container: int  # 0: not a container's
    place: str  # "ring.urgent", "flow_map", "budget", "log.activity", "agent.down" …
    what: str  # kind of the lost events, or ""
    count: int  # -1: unknown
    began_ns: int


Event: TypeAlias = (
    Exec | Exit | Open | Many | Load | Change | Net | Socket | Unix | Dns
    | Cgroup | Handover | Mount | Left | Privilege | Program | Conflict | FlowCount | Gap
)  # fmt: skip
