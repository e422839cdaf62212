"""What the kernel is told to count by itself: only what one verdict holds for, and within a bound."""

from ipaddress import IPv6Address
from pathlib import Path

import pytest

from agent.kernel import PREFIXES, LiveKernel
from agent.node.locate import Node
from agent.node.processes import Processes
from agent.novelty import CHILDREN, TREE, Folder, Peers
from agent.policies import Policies
from agent.sensor.flows import Prefix
from model.event import FlowCount, Layer, Open, Session
from model.origin import Container
from tests.node.builders import BOX, mount, table

DISK, ROOT = 8 << 20 | 1, 90
DENY = """apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: deny}}
spec:
  select: {{containers: {{names: ["*"]}}}}
  read: {{deny: [{paths}]}}
  egress: {{deny: [{networks}]}}
"""


class Flows:
    """The kernel's prefixes, with what it counted below each."""

    def __init__(self, room: int = 1 << 20) -> None:
        self.room, self.counted = room, 3
        self.held: dict[Prefix, bool] = {}
        self.files: set[tuple[int, int]] = set()
        self.names: set[int] = set()
        self.networks: set[str] = set()

    def install(self, prefix: Prefix, *, children_only: bool = False) -> None:
        if len(self.held) >= self.room:
            raise OSError(7, "Argument list too long")
        if prefix in self.held:
            raise FileExistsError
        self.held[prefix] = children_only

    def uninstall(self, prefix: Prefix) -> FlowCount:
        del self.held[prefix]
        return FlowCount(9, prefix.packed(), prefix.container, Session.STANDING, 3, 10, self.counted, 0, 9, 1, 1, "", final=True)

    def guard_file(self, _: int, names: int, device: int) -> None:
        self.files.add((names, device))

    def unguard_file(self, _: int, names: int, device: int) -> None:
        self.files.remove((names, device))

    def guard_name(self, _: int, name: int) -> None:
        self.names.add(name)

    def unguard_name(self, _: int, name: int) -> None:
        self.names.remove(name)

    def guard_network(self, _: int, address: bytes, bits: int) -> None:
        self.networks.add(f"{IPv6Address(address)}/{bits}")

    def unguard_network(self, _: int, address: bytes, bits: int) -> None:
        self.networks.remove(f"{IPv6Address(address)}/{bits}")


def kernel(flows: Flows, policies: Policies | None = None) -> LiveKernel:
    containers = table()
    for row in (mount(ROOT, "/", "/"), mount(DISK, "/srv", "/data"), mount(DISK, "/srv/keys", "/keys")):
        containers.take_mount(row)
    node = Node(containers, Processes("boot"), lambda argv: argv)
    return LiveKernel(flows, node, Policies([]) if policies is None else policies, seed=7)  # type: ignore[arg-type]


def folder(path: str, device: int = ROOT, layer: Layer = Layer.WRITABLE) -> Folder:
    return Folder(BOX, device, layer, Open, 1, path)


def test_a_folder_is_counted_whole_or_by_its_children() -> None:
    flows = Flows()
    told = kernel(flows)
    assert told.answer(folder("/tmp"), CHILDREN)
    assert told.answer(folder("/var/cache"), TREE)
    assert {prefix.text: children for prefix, children in flows.held.items()} == {"/tmp": True, "/var/cache": False}


def test_a_folder_that_holds_what_another_mount_names_is_never_counted_whole() -> None:
    flows = Flows()
    assert not kernel(flows).answer(folder("/data", DISK, Layer.VOLUME), TREE)
    assert not flows.held


def test_the_same_folder_again_is_answered_already() -> None:
    flows = Flows()
    told = kernel(flows)
    assert told.answer(folder("/tmp"), TREE)
    assert told.answer(folder("/tmp"), TREE)
    assert len(flows.held) == 1


def test_one_container_fills_no_more_than_its_share_of_the_kernel_s_map() -> None:
    flows = Flows()
    told = kernel(flows)
    answers = [told.answer(folder(f"/tmp/{number}"), TREE) for number in range(PREFIXES + 5)]
    assert answers == [True] * PREFIXES + [False] * 5
    assert told.refused == 5


@pytest.mark.parametrize("room", [0, 2])
def test_a_full_map_or_one_where_the_kernel_counts_already_is_no_error(room: int) -> None:
    flows = Flows(room)
    kernel(flows).answer(folder("/tmp"), TREE)
    told = kernel(flows)
    assert not told.answer(folder("/tmp"), TREE)
    assert told.refused == (room == 0), "only what had no room is counted"


def test_when_the_policies_change_a_folder_is_asked_for_again_and_its_count_is_told_where_it_is_given_up() -> None:
    flows = Flows()
    told = kernel(flows)
    told.answer(folder("/tmp"), TREE)
    told.answer(folder("/var/cache"), TREE)
    asked: list[str] = []

    def stands(place: Folder | Peers, container: Container) -> bool:
        assert isinstance(place, Folder)
        assert container.cgroup == BOX
        asked.append(place.path)
        return place.path == "/tmp"

    counts = list(told.ask_prefixes(stands))
    assert asked == ["/tmp", "/var/cache"]
    assert [count and (count.container, count.added) for count in counts] == [None, (BOX, 3)]
    assert [prefix.text for prefix in flows.held] == ["/tmp"]


def test_what_is_denied_is_guarded_and_what_no_longer_is_like_anything_else(tmp_path: Path) -> None:
    flows = Flows()
    told = kernel(flows, Policies([tmp_path]))
    (container,) = told._node.containers.live()

    def guarded(*denied: str) -> tuple[int, int, list[str]]:
        paths = ", ".join(one for one in denied if one.startswith("/"))
        networks = ", ".join(one for one in denied if not one.startswith("/"))
        (tmp_path / "p.yaml").write_text(DENY.format(paths=paths, networks=networks))
        assert told._policies.load(), told._policies.problems
        told.protect(container)
        return len(flows.files), len(flows.names), sorted(flows.networks)

    assert guarded("/data/a", "/keys/b", "/**/token") == (2, 1, [])
    assert guarded("/keys/b", "10.0.0.0/8") == (1, 0, ["::ffff:a00:0/104"])
    assert guarded("192.0.2.0/24") == (0, 0, ["::ffff:c000:200/120"])
