"""The places in the kernel where our programs sit: which there are, in what state, and what is unseen without them."""

from dataclasses import dataclass
from enum import StrEnum

from agent.sensor.calls import is_target


class State(StrEnum):
    """Of a hook."""

    ATTACHED = "attached"
    MISSING = "missing"  # this kernel doesn't offer it
    FAILED = "failed"  # it was refused: `why`


@dataclass(frozen=True)
class Hook:
    """One program and its place, for `vedette status`."""

    program: str
    place: str  # the section: tp_btf/sched_process_exec
    state: State
    why: str = ""
    costs: str = ""  # what is not seen without it


_COSTS = {
    "tp_btf/sched_process_exec": "nothing works: no exec is seen",
    "tp_btf/sched_process_exit": "the end of a process is not seen",
    "tp_btf/sys_exit": "opens, loaded code, changes and sockets are not seen",
    "tp_btf/task_newtask": "processes have no lineage, and no container until they exec",
    "tp_btf/cgroup_attach_task": "processes moved into a container are seen at their next exec only",
    "tp_btf/cgroup_mkdir": "new containers are not noticed",
    "tp_btf/cgroup_rmdir": "ended containers are noticed late",
    "tp_btf/io_uring_complete": "files opened, AF_UNIX connections and sockets made by io_uring are not seen",
    "tp_btf/io_uring_submit_req": "files changed by io_uring are known by the names that the request was given",
    "tp_btf/io_uring_cqe_overflow": "files changed by an io_uring that is full of completions are not seen",
    "tp_btf/inode_set_ctime_to_ts": "changed files are known by the string that the program passed",
    "tp_btf/ctime_ns_xchg": "changed files are known by the string that the program passed",
    "tp_btf/ctime_xchg_skip": "changed files are known by the string that the program passed",
    "tp_btf/inet_sock_set_state": "listening and accepted connections, and attempts that fail, are not seen",
    "tp_btf/kmem_cache_alloc": "an opened descriptor that another thread swaps at once can hide the file (marked suspect)",
    "cgroup/connect4": "connections over IPv4 are not seen",
    "cgroup/connect6": "connections over IPv6 are not seen",
    "cgroup/sendmsg4": "datagrams sent without connect over IPv4 are not seen",
    "cgroup/sendmsg6": "datagrams sent without connect over IPv6 are not seen",
    "cgroup/bind4": "ports bound over IPv4 are not seen",
    "cgroup/bind6": "ports bound over IPv6 are not seen",
    "cgroup/post_bind4": "ports bound over IPv4 are not seen",
    "cgroup/post_bind6": "ports bound over IPv6 are not seen",
    "cgroup/sock_create": "raw sockets, and those of rarer protocols, are not seen",
    "cgroup_skb/ingress": "DNS answers are not seen: connections carry no names",
    "cgroup_skb/egress": "DNS queries are not seen: answers can't be held against them",
    "iter/task": "processes that ran before the agent are unknown until they exec",
    "iter/task_vma": "code loaded before the agent started is not seen",
    "iter/task_file": "sockets older than the agent are not seen",
    "iter/tcp": "connections older than the agent are not seen",
    "iter/udp": "datagram sockets older than the agent are not seen",
}
_CALL_COSTS = {  # of a program that a system call's number leads to
    "open": "opened files are not seen",
    "mmap": "code that is loaded is not seen",
    "mprotect": "code that is made executable later is not seen",
    "connect": "connections to AF_UNIX sockets are not seen",
    "socket": "packet, netlink, vsock and alg sockets are not seen",
    "socketcall": "sockets and connections made through socketcall are not seen",
    "sendto": "datagrams to AF_UNIX sockets by sendto are not seen",
    "sendmsg": "datagrams to AF_UNIX sockets by sendmsg are not seen",
    "sendmmsg": "datagrams to AF_UNIX sockets by sendmmsg are not seen",
    "change": "renamed, removed and changed files, and mounts, are not seen",
    "mount": "mounts are not seen",
    "setns": "processes that join a container's namespaces are seen at their next exec only",
}
DNS = frozenset({"on_received", "on_sent"})  # the programs that look at packets, for that alone
_VITAL = {"tp_btf/sched_process_exec", "syscall"}


def cost_of(program: str, place: str) -> str:
    """What is unseen without the program."""
    if is_target(program):
        table, _, family = program.partition("_")
        what = _CALL_COSTS.get(family, "")
        return f"by 32-bit calls, {what}" if what and table == "compat" else what
    return _COSTS.get(place, "")


def places() -> list[str]:
    """All places that our programs may sit in."""
    return list(_COSTS)


def vital(place: str) -> bool:
    """Whether the sensor is no use without it."""
    return place in _VITAL


def tracepoint(place: str) -> str | None:
    """The tracepoint of a tp_btf program."""
    kind, _, name = place.partition("/")
    return name if kind == "tp_btf" else None


def attaches(program: str, place: str) -> bool:
    """Whether the program is attached when the sensor starts: not those that are tail-called, iterated, or run by hand."""
    return not is_target(program) and place.partition("/")[0] not in ("iter", "iter.s", "syscall")


def rank(program: str, place: str) -> tuple[int, str]:
    """The order of attaching: who is who first, what they do after it, the dispatcher last."""
    last = {"tp_btf/sys_exit": 3}
    first = {"tp_btf/task_newtask": 0, "tp_btf/cgroup_mkdir": 0, "tp_btf/cgroup_attach_task": 0, "tp_btf/sched_process_exec": 1}
    return {**first, **last}.get(place, 2), program
