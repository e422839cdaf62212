"""When many new files of a folder, or peers of a network, are one answer for the kernel: and when never."""

from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from agent.novelty import AGAIN, CHILDREN, DEEPER, FIRST, TABLE, TREE, Folder, Network, Novelty, Peers
from model.event import Access, Change, Direction, Layer, Open, Operation
from model.origin import Origin
from model.verdict import Mode, Outcome, Reason, Verdict
from tests.outputs.builders import ALLOWED, T0, actor, container, file, net, open_, origin, violation

UNJUDGED = Verdict(Outcome.UNJUDGED, "", Reason.NONE, Mode.LEARN, 1)


@dataclass
class Watch:
    """A novelty whose policies say `uniform` of any folder and network, and whose kernel says `room`."""

    uniform: Verdict | None = ALLOWED
    room: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)  # verb, folder or network
    answered: list[tuple[str, int]] = field(default_factory=list)  # folder, scope
    networks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.novelty = Novelty(self._uniform, self._uniform_network, self._answer, self._answer_network)

    def _uniform(self, _: Origin, verb: str, folder: str, __: Layer) -> Verdict | None:
        self.asked.append((verb, folder))
        return self.uniform

    def _uniform_network(self, _: Origin, verb: str, network: Network, __: int, ___: int) -> Verdict | None:
        self.asked.append((verb, str(network)))
        return self.uniform

    def _answer(self, folder: Folder, scope: int) -> bool:
        self.answered.append((folder.path, scope))
        return self.room

    def _answer_network(self, peers: Peers) -> bool:
        self.networks.append(str(peers.network))
        return self.room

    def opens(self, *paths: str, access: Access = Access.READ, verdict: Verdict | None = ALLOWED, by: int = 99) -> None:
        of = origin(replace(container(), cgroup=by))
        for path in paths:
            self.novelty.see(replace(open_(path), access=access), of, verdict)

    def changes(self, operation: Operation, *paths: str) -> None:
        for path in paths:
            self.novelty.see(Change(T0, actor(), operation, file(path), None, 0, 0, b"c" * 40), origin(), ALLOWED)

    def talks(self, *addresses: str, direction: Direction = Direction.EGRESS) -> None:
        for address in addresses:
            self.novelty.see(net(address, direction=direction), origin(), ALLOWED)


def new(count: int, folder: str = "/var/tmp") -> list[str]:
    return [f"{folder}/{number}" for number in range(count)]


def test_a_folder_with_many_new_files_is_answered_for_as_a_whole() -> None:
    watch = Watch()
    watch.opens(*new(FIRST - 1))
    assert watch.answered == []
    watch.opens("/var/tmp/one more")
    assert watch.answered == [("/var/tmp", CHILDREN)]


def test_many_folders_with_few_new_files_each_are_answered_for_by_the_one_above() -> None:
    watch = Watch()
    watch.opens(*(f"/var/cache/a/{number}/file" for number in range(DEEPER)))
    assert watch.answered == [("/var/cache/a", TREE)]


def test_of_a_folder_right_below_the_root_only_the_direct_children_are_answered_for() -> None:
    watch = Watch()
    watch.opens(*(f"/tmp/{number}/file" for number in range(2 * DEEPER)), *new(2 * FIRST, ""))
    assert watch.answered == []
    watch.opens(*new(FIRST, "/tmp"))
    assert watch.answered == [("/tmp", CHILDREN)]


@pytest.mark.parametrize("uniform", [None, violation()])
def test_where_a_rule_tells_the_files_apart_or_forbids_them_the_kernel_is_not_told(uniform: Verdict | None) -> None:
    watch = Watch(uniform)
    watch.opens(*new(4 * FIRST))
    watch.talks(*(f"192.0.2.{number}" for number in range(2 * FIRST)))
    assert (watch.answered, watch.networks) == ([], [])


def test_what_no_policy_mentions_may_be_answered_for() -> None:
    watch = Watch(UNJUDGED)
    watch.opens(*new(FIRST), verdict=None)
    assert watch.answered == [("/var/tmp", CHILDREN)]


def test_a_violation_is_never_folded_away() -> None:
    watch = Watch()
    watch.opens(*new(4 * FIRST), verdict=violation())
    assert watch.asked == []


def test_where_the_answer_was_no_the_policies_are_not_asked_of_each_file() -> None:
    watch = Watch(None)
    watch.opens(*new(3 * AGAIN))
    assert len(watch.asked) == 1 + 3


def test_a_kernel_without_room_is_asked_again() -> None:
    watch = Watch(room=False)
    watch.opens(*new(2 * AGAIN))
    assert watch.answered == [("/var/tmp", CHILDREN)] * 3


def test_containers_and_uses_are_counted_apart() -> None:
    watch = Watch()
    watch.opens(*new(FIRST - 1), by=1)
    watch.opens(*new(FIRST - 1), by=2)
    watch.opens(*new(FIRST - 1), by=2, access=Access.WRITE)
    watch.changes(Operation.UNLINK, *new(FIRST - 1))
    assert watch.answered == []


@pytest.mark.parametrize(
    ("access", "verbs"),
    [
        (Access.READ, {"read"}),
        (Access.WRITE, {"write"}),
        (Access.READ | Access.CREATE, {"read", "write"}),
        (Access.READ | Access.TRUNCATE, {"read", "write"}),
    ],
)
def test_the_policies_are_asked_under_every_verb_that_the_use_is_judged_under(access: Access, verbs: set[str]) -> None:
    watch = Watch()
    watch.opens(*new(FIRST), access=access)
    assert {verb for verb, _ in watch.asked} == verbs


@pytest.mark.parametrize(
    ("operation", "verbs"),
    [(Operation.UNLINK, {"write"}), (Operation.RENAME, {"write", "read"}), (Operation.LINK, {"write", "read"})],
)
def test_a_change_that_gives_a_new_name_is_reading_too(operation: Operation, verbs: set[str]) -> None:
    watch = Watch()
    watch.changes(operation, *new(FIRST))
    assert {verb for verb, _ in watch.asked} == verbs
    assert watch.answered == [("/var/tmp", CHILDREN)]


@pytest.mark.parametrize(
    ("form", "network"), [("192.0.2.{}", "192.0.2.0/24"), ("2001:db8::{}", "2001:db8::/64")], ids=["IPv4", "IPv6"]
)
def test_many_new_peers_of_a_network_are_answered_for_together(form: str, network: str) -> None:
    watch = Watch()
    watch.talks(*(form.format(number) for number in range(FIRST)))
    assert (watch.asked, watch.networks) == ([("egress", network)], [network])


def test_who_comes_in_is_never_answered_for() -> None:
    watch = Watch()
    watch.talks(*(f"192.0.2.{number}" for number in range(2 * FIRST)), direction=Direction.INGRESS)
    assert watch.asked == []


@pytest.mark.parametrize(("uniform", "stands"), [(ALLOWED, True), (UNJUDGED, True), (None, False), (violation(), False)])
def test_what_was_answered_for_stands_under_other_policies_where_they_decide_all_of_it_alike(
    uniform: Verdict | None, stands: bool
) -> None:
    watch = Watch(uniform)
    places = (
        Folder(99, 1, Layer.WRITABLE, Open, int(Access.WRITE), "/var/tmp"),
        Peers(99, ip_network("192.0.2.0/24"), 443, 6, Direction.EGRESS.number),
    )
    assert [watch.novelty.stands(place, container()) for place in places] == [stands, stands]
    assert watch.asked == [("write", "/var/tmp"), ("egress", "192.0.2.0/24")]


def test_the_table_is_bounded_and_the_folder_touched_longest_ago_gives_way() -> None:
    watch = Watch()
    watch.opens(*new(FIRST - 1, "/busy"), *(f"/quiet{number}/file" for number in range(TABLE - 1)), "/busy/again")
    assert (watch.answered, watch.novelty.evicted) == ([("/busy", CHILDREN)], 0)
    watch.opens("/one/file", "/more/file")
    assert (len(watch.novelty._seen), watch.novelty.evicted) == (TABLE, 2)
