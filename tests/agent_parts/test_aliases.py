"""A deny holds under every name that a container has for a file; an allow goes by the record's name alone."""

from msgspec.structs import replace

from agent.aliases import under_all_names
from agent.node.containers import Containers
from agent.node.oci import Decision, State
from model.event import Access, Cgroup, Event, Flag, Layer, Mount, Open
from model.judge import compile as tables_of
from model.judge import judge
from model.origin import Container, Origin
from model.policy import parse
from model.verdict import Reason, Verdict
from tests.model.builders import actor, file

DISK = 8 << 20 | 1
BOX = Container(7, "/box", "id", "box", "", "runc")
POLICY = """
apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec:
  select: {containers: {names: ["*"]}}
  mode: alert
  read: {allow: [/b/**], deny: [/a/secret]}
"""


class Records:
    def decide(self, cgroup_path: str) -> Decision:
        return Decision(State.CONTAINER, replace(BOX, cgroup_path=cgroup_path))


def judged(path: str, *points: str) -> Verdict | None:
    """The verdict on a read of this path, where one folder of the host's disk is mounted at these points."""
    containers = Containers(Records())
    containers.take_cgroup(Cgroup(1, 7, 1, "/box", alive=True))
    for point in points:
        containers.take_mount(Mount(1, 7, 1, DISK, "/srv", point, 0xEF53, is_root=False))
    tables = tables_of(parse(POLICY, "p.yaml"), BOX, 1)

    def by_tables(event: Event, origin: Origin) -> Verdict:
        return judge(tables, event, origin)

    opened = replace(file(path), device=DISK, layer=Layer.VOLUME, flags=Flag(0))
    event = Open(1, replace(actor(), container=7), opened, Access.READ, b"")
    return under_all_names(by_tables, containers)(event, Origin(BOX, None))


def test_a_file_that_is_denied_by_its_other_name_is_denied() -> None:
    verdict = judged("/b/secret", "/a", "/b")
    assert verdict is not None
    assert verdict.reason is Reason.READ_DENIED


def test_a_file_with_one_name_is_judged_by_it() -> None:
    verdict = judged("/b/secret", "/b")
    assert verdict is not None
    assert verdict.reason is Reason.ALLOWED


def test_what_another_name_would_allow_stays_forbidden() -> None:
    verdict = judged("/a/other", "/a", "/b")
    assert verdict is not None
    assert verdict.reason is Reason.READ_NOT_ALLOWED
