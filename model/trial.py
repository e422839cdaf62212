"""Runs the cases of `model.testing`: the event that a case describes, and how its verdict differs from the expected one."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from msgspec import Struct

from model.cases import (
    AcceptShape,
    ChangeShape,
    ConnectShape,
    ExecShape,
    FileShape,
    ListenShape,
    OpenShape,
    WhoShape,
    split_peer,
)
from model.event import (
    Access,
    Actor,
    Change,
    Direction,
    Event,
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
from model.explain import Explanation, explain
from model.fields import LAYERS, ports
from model.judge import compile  # noqa: A004 - that's what it does
from model.origin import Container, Origin, Pod
from model.policy import Policy
from model.problem import Code, Problem, shown
from model.testing import Case
from model.text import from_bytes

_CGROUP = 7
_NONE = Flag(0)
_SESSIONS = {str(session): session for session in Session}
_OPERATIONS = {str(operation): operation for operation in Operation}
_STARTED_NS = 1_000_000_000


class Failure(Struct, frozen=True):
    """A case whose verdict is another. Both have the same fields: verdict, reason, and what else the case asks for."""

    problem: Problem
    case: str
    expected: dict[str, str]
    got: dict[str, str]

    def __str__(self) -> str:
        """Place, line, and the two verdicts field by field."""
        fields = self.expected | self.got
        width = max(map(len, fields))
        lines = []
        for name in fields:
            wanted, found = self.expected.get(name, ""), self.got.get(name, "")
            rows = [("-", wanted), ("+", found)] if wanted and wanted != found else [(" ", found)]
            lines += [f"    {sign} {name:{width}}  {value}" for sign, value in rows if value]
        head, _, hint = str(self.problem).rpartition("\nhint: ")
        return "\n".join([head, *lines, f"hint: {hint}"])


def run(policies: Sequence[Policy], case: Case) -> Failure | None:
    """What differs from the expected verdict; None: nothing."""
    origin = Origin(container_of(case), None)
    told = explain(compile(policies, origin.container, 1), event_of(case), origin)
    expected = {name: value for name, value in case.shape.expect.model_dump().items() if value is not None}
    got = _got(told)
    rule = expected.get("rule")
    if rule is not None and _is_decisive(rule, told):
        expected["rule"] = got["rule"]
    if all(got[name] == value for name, value in expected.items()):
        return None
    return _failure(case, told, expected, got, selected=any(policy.selects(origin.container) for policy in policies))


def _failure(case: Case, told: Explanation, expected: dict[str, str], got: dict[str, str], *, selected: bool) -> Failure:
    wanted = ", ".join(expected.values())
    found = ", ".join(got[name] for name in expected)
    hint = told.why if selected else f"no policy selects container {shown(case.who.name)} of image {shown(case.who.image)}"
    problem = case.problem(f"{case.title}: expected {wanted}; got {found}", hint)
    return Failure(_as_failed(problem), case.title, expected, got)


def _as_failed(problem: Problem) -> Problem:
    return Problem(
        problem.file, problem.line, problem.column, problem.message, problem.quote, problem.caret, problem.width, problem.hint,
        code=Code.TEST_FAILED,
    )  # fmt: skip


def _got(told: Explanation) -> dict[str, str]:
    verdict = told.verdict
    text = _decisive(told)[1]
    rule = f"{text} ({verdict.source})" if text else f"{verdict.rule} ({verdict.source})" if verdict.rule else ""
    return {
        "verdict": str(verdict.outcome), "reason": str(verdict.reason), "mode": str(verdict.mode),
        "severity": str(verdict.severity), "rule": rule,
    }  # fmt: skip


def _is_decisive(rule: str, told: Explanation) -> bool:
    """Whether this is how the decisive rule is written, or its id, or the beginning of either up to the end of a word."""
    return any(f"{one} ".startswith(f"{rule} ") for one in _decisive(told)) or told.verdict.rule.startswith(f"{rule}/")


def _decisive(told: Explanation) -> tuple[str, str]:
    """The id of the decisive rule, and how it is written; of what no list has, nothing is written."""
    return told.verdict.rule, next((one.text for one in told.tried if one.decisive), "")


def container_of(case: Case) -> Container:
    """The container that the case is about."""
    who: WhoShape = case.who
    pod = Pod(f"{who.name}-pod", who.namespace, "uid") if who.namespace else None
    return Container(
        cgroup=_CGROUP, cgroup_path="/test", id="test", name=who.name, image=who.image, runtime="test", pod=pod,
        started_ns=_STARTED_NS,
    )  # fmt: skip


def event_of(case: Case) -> Event:
    """What the kernel would report."""
    said = getattr(case.shape, case.kind)
    time_ns = _STARTED_NS + case.shape.age_s * 1_000_000_000
    actor = _actor(case)
    match said:
        case ExecShape():
            return _exec(said, actor, time_ns)
        case OpenShape():
            access = reduce(or_, (Access[word.upper()] for word in said.access), Access(0))
            usual = Layer.IMAGE if access == Access.READ else Layer.WRITABLE
            return Open(time_ns=time_ns, actor=actor, file=_file(said, usual), access=access, flow=b"")
        case ChangeShape():
            return _change(said, actor, time_ns)
        case FileShape():
            return Load(time_ns=time_ns, actor=actor, file=_file(said, Layer.WRITABLE), flow=b"")
        case ConnectShape():
            return _connect(said, actor, time_ns)
    return _inwards(said, actor, time_ns)


def _actor(case: Case) -> Actor:
    return Actor(
        container=_CGROUP, pid=42, started_ns=_STARTED_NS, creator_pid=1, creator_started_ns=_STARTED_NS, ancestor_pid=1,
        ancestor_started_ns=_STARTED_NS, session=_SESSIONS[case.shape.session], exe=1, euid=case.shape.user, tty=False,
        comm="test",
    )  # fmt: skip


def _exec(said: ExecShape, actor: Actor, time_ns: int) -> Exec:
    script = _file(said.script, Layer.IMAGE) if said.script is not None else None
    argv = (said.called or said.path, *said.args)
    return Exec(
        time_ns=time_ns, actor=actor, file=_file(said, Layer.IMAGE), script=script, argv=argv,
        argv_bytes=sum(len(word.encode()) + 1 for word in argv), cwd="/", tty="", uid=actor.euid, gid=0, login_uid=0xFFFFFFFF,
        capabilities=0, permitted=0, no_new_privs=False, seccomp=0, code_environment=(), setuid=False,
    )  # fmt: skip


def _change(said: ChangeShape, actor: Actor, time_ns: int) -> Change:
    file = _file(said, Layer.WRITABLE)
    target = _named(said.to, file.layer) if said.to is not None else None
    return Change(
        time_ns=time_ns, actor=actor, operation=_OPERATIONS[said.how], file=file, target=target, mode=0o644, owner=actor.euid,
        flow=b"",
    )  # fmt: skip


def _connect(said: ConnectShape, actor: Actor, time_ns: int) -> Event:
    if said.to.startswith("unix:@"):
        return Unix(time_ns=time_ns, actor=actor, file=None, abstract=said.to[6:], result=0, flow=b"")
    if said.to.startswith("unix:"):
        file = _named(said.to[5:], LAYERS[said.layer] if said.layer else Layer.TMPFS)
        return Unix(time_ns=time_ns, actor=actor, file=file, abstract="", result=0, flow=b"")
    address, port = split_peer(said.to)
    return _net(Direction.EGRESS, address, port, actor, time_ns, name=said.name or "")


def _inwards(said: AcceptShape | ListenShape, actor: Actor, time_ns: int) -> Net:
    if isinstance(said, ListenShape):
        return _net(Direction.LISTEN, said.address, said.port, actor, time_ns)
    protocol, port, _ = ports(said.port)
    return Net(
        time_ns=time_ns, actor=actor, direction=Direction.INGRESS, protocol=Protocol[protocol.upper()], address=said.origin,
        port=40000, local_port=port, result=0, flow=b"",
    )  # fmt: skip


def _net(direction: Direction, address: str, written: str, actor: Actor, time_ns: int, name: str = "") -> Net:
    protocol, port, _ = ports(written)
    return Net(
        time_ns=time_ns, actor=actor, direction=direction, protocol=Protocol[protocol.upper()], address=address, port=port,
        local_port=0 if direction is Direction.EGRESS else port, result=0, flow=b"", name=name,
    )  # fmt: skip


def _file(said: FileShape, usual: Layer) -> File:
    layer = LAYERS[said.layer] if said.layer else _procfs(said.path) or usual
    flags = reduce(or_, (Flag[word.upper()] for word in said.flags), Flag(0))
    return _named(said.path, layer, flags)


def _named(path: str, layer: Layer, flags: Flag = _NONE) -> File:
    return File(from_bytes(path.encode()), layer, flags, device=1, inode=2, real_device=1, generation=0, ctime_ns=0)


def _procfs(path: str) -> Layer | None:
    names = path.split("/")
    if names[1] != "proc":
        return None
    if names[2:3] == ["self"] or names[2:3] == ["thread-self"]:
        return Layer.PROC_SELF
    return Layer.PROC_OTHER if names[2:3] and names[2].isdigit() else Layer.PROC
