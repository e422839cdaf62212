"""When the policies change, what is remembered and what runs is as if the agent had been started with the new ones."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.rejudge import BEHIND, RESULTS
from model.event import Change, Exec, Load, Net, Open, Operation
from model.origin import Origin
from model.policy import Policy, parse
from model.verdict import Mode, Outcome
from tests.agent_parts.kernel_model import BOX, House, State
from tests.model.builders import exec_, open_
from tests.model.strategies import changes, loads, nets, opens, policies, sockets

SECRET, PLAIN = "/etc/secret", "/etc/plain"


def flow(event: Any) -> Any:
    """With the key that the kernel would give it: all that a verdict may depend on."""
    return replace(event, flow=repr(_in_key(event)).encode())


def _in_key(event: Any) -> tuple[Any, ...]:
    file, actor = getattr(event, "file", None), event.actor
    named = () if file is None else (file.path, file.layer, int(file.flags))
    who = (actor.container, actor.session.value)
    match event:
        case Open():
            return ("open", who, named, int(event.access))
        case Load():
            return ("load", who, named)
        case Change():
            return ("change", who, named, event.operation.value)
        case Net():
            return ("net", who, event.address, event.port, event.direction.value, int(event.protocol))
        case _:
            return ("unix", who, named, event.abstract)


def reads(path: str) -> Open:
    found = flow(open_(path))
    assert isinstance(found, Open)
    return found


def denying(*paths: str, mode: str = "alert", name: str = "deny", where: str = "read") -> Policy:
    listed = ", ".join(paths)
    return _policy(name, mode, f"{where}: {{deny: [{listed}]}}")


def _policy(name: str, mode: str, verbs: str) -> Policy:
    text = f"""apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: {name}}}
spec: {{select: {{containers: {{names: ["*"]}}}}, mode: {mode}, {verbs}}}
"""
    return parse(text, f"{name}.yaml")[0]


def subjects(house: House) -> list[tuple[str, int, bool]]:
    return [(one.subject, one.count, one.standing) for one in house.told]


def test_a_known_open_that_becomes_denied_is_a_standing_finding_without_being_opened_again() -> None:
    house = House()
    house.does(*[reads(SECRET)] * 5, reads(PLAIN))
    house.settle()
    house.does(*[reads(SECRET)] * 4)
    house.changes(denying(SECRET))
    house.judged()
    assert subjects(house) == [(SECRET, 1, True)]
    assert house.states() == {reads(SECRET).flow: State.WATCHED, reads(PLAIN).flow: State.KNOWN}
    (done,) = house.done
    assert done.results == {**dict.fromkeys(RESULTS, 0), "same": 1, "violation": 1}


def test_its_count_holds_what_was_done_after_the_change_and_nothing_from_before() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.does(*[reads(SECRET)] * 1000)
    house.changes(denying(SECRET))
    house.judged()
    house.does(*[reads(SECRET)] * 3)
    house.sweep()
    assert house.totals() == {SECRET: 1 + 3}


def test_a_violation_that_becomes_allowed_is_told_up_to_the_change_and_not_after() -> None:
    house = House([denying(SECRET)])
    house.does(reads(SECRET))
    house.settle()
    house.does(*[reads(SECRET)] * 6)
    house.changes()
    house.judged()
    assert house.states() == {reads(SECRET).flow: State.KNOWN}
    house.does(*[reads(SECRET)] * 50)
    house.sweep()
    assert house.totals() == {SECRET: 7}
    assert house.done[0].results["allowed"] == 1


def test_a_violation_under_another_rule_is_another_finding() -> None:
    house = House([denying(SECRET, name="one")])
    house.does(reads(SECRET))
    house.settle()
    house.changes(denying(SECRET, name="two"))
    house.judged()
    house.does(*[reads(SECRET)] * 2)
    house.sweep()
    house.findings.close()
    assert [(one.policy, one.count, one.standing) for one in house.told] == [
        ("one", 1, False), ("two", 1, True), ("two", 3, True),
    ]  # fmt: skip


def test_the_same_violation_under_changed_policies_is_not_told_again() -> None:
    house = House([denying(SECRET)])
    house.does(reads(SECRET))
    house.settle()
    house.changes(denying(SECRET), denying("/other", name="more"))
    house.judged()
    assert subjects(house) == [(SECRET, 1, False)]


def test_what_learns_becomes_a_record_and_what_alerts_then_a_finding() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.changes(denying(SECRET, mode="learn"))
    house.judged()
    (record,) = [one for one in house.records if one.event.standing]  # type: ignore[union-attr]
    assert record.verdict is not None
    assert (record.verdict.outcome, record.verdict.mode, house.told) == (Outcome.VIOLATION, Mode.LEARN, [])
    assert house.states() == {reads(SECRET).flow: State.KNOWN}
    house.changes(denying(SECRET))
    house.judged()
    assert subjects(house) == [(SECRET, 1, True)]
    house.changes(denying(SECRET, mode="learn"))
    house.judged()
    house.does(*[reads(SECRET)] * 3)
    house.sweep()
    assert house.totals() == {SECRET: 1}


def test_a_flow_on_its_way_to_the_log_gets_the_state_of_its_verdict_now() -> None:
    house = House()
    house.does(reads(SECRET))
    house.changes(denying(SECRET))
    house.rejudging.step(1.0)
    house.settle()
    assert house.states() == {reads(SECRET).flow: State.WATCHED}
    assert subjects(house) == [(SECRET, 1, True)]


def test_one_that_is_allowed_before_the_log_has_it_is_not_watched() -> None:
    house = House([denying(SECRET)])
    house.does(reads(SECRET))
    house.changes()
    house.rejudging.step(1.0)
    house.settle()
    assert house.states() == {reads(SECRET).flow: State.KNOWN}


def test_what_had_no_room_is_news_at_its_next_hit_and_only_that() -> None:
    house = House(limit=1)
    house.does(reads(PLAIN), reads(SECRET))
    house.settle()
    house.does(*[reads(SECRET)] * 9)
    house.sweep()
    house.changes(denying(SECRET))
    house.judged()
    assert (house.remembered.beyond, house.done[0].results["news"], house.told) == (1, 1, [])
    assert house.states() == {reads(PLAIN).flow: State.KNOWN, reads(SECRET).flow: State.PENDING}
    house.does(reads(PLAIN), *[reads(SECRET)] * 3)
    house.settle()
    house.sweep()
    assert house.totals() == {SECRET: 3}, "what was counted before is no part of it"
    assert house.states()[reads(SECRET).flow] is State.WATCHED


def test_one_without_room_that_is_on_its_way_to_the_log_is_not_remembered_under_the_old_verdict() -> None:
    house = House(limit=0)
    house.does(reads(SECRET))
    house.changes(denying(SECRET))
    house.judged()
    assert house.states() == {reads(SECRET).flow: State.PENDING}
    house.does(reads(SECRET))
    house.settle()
    assert subjects(house) == [(SECRET, 1, False)]
    assert house.states() == {reads(SECRET).flow: State.WATCHED}


def test_what_a_verdict_reads_beside_the_key_makes_it_news() -> None:
    renamed = flow(Change(1, open_("/a").actor, Operation.RENAME, open_("/a").file, open_("/b").file, 0, 0, b""))
    house = House()
    house.does(renamed)
    house.settle()
    house.changes(_policy("p", "alert", "write: {allow: [/a]}"))
    house.judged()
    assert house.done[0].results["news"] == 1
    assert house.states() == {renamed.flow: State.PENDING}


def test_what_the_log_had_no_room_for_is_news() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.room = False
    house.changes(denying(SECRET))
    house.judged()
    house.room = True
    assert house.states() == {reads(SECRET).flow: State.PENDING}
    house.does(reads(SECRET))
    house.settle()
    assert house.states() == {reads(SECRET).flow: State.WATCHED}


def test_what_the_kernel_forgot_is_forgotten_here_too() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.pipeline.see(house.kernel.retire(reads(SECRET).flow))
    assert len(house.remembered) == 0


def test_of_a_container_that_is_gone_nothing_is_told() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.container = None
    house.changes(denying(SECRET))
    house.judged()
    assert (house.told, len(house.remembered)) == ([], 0)


def test_a_container_is_judged_as_it_is_known_now() -> None:
    house = House()
    house.does(reads(SECRET))
    house.settle()
    house.container = replace(BOX, name="other")
    text = 'names: ["*"]'
    policy = parse(DENY_OTHER.format(path=SECRET, text=text.replace('"*"', "other")), "p.yaml")[0]
    house.changes(policy)
    house.judged()
    assert [(one.container, one.subject) for one in house.told] == [("other", SECRET)]


DENY_OTHER = """apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: p}}
spec: {{select: {{containers: {{{text}}}}}, read: {{deny: [{path}]}}}}
"""


def test_a_running_program_that_becomes_forbidden_is_told_once() -> None:
    house = House()
    house.running = [(exec_("/usr/bin/miner"), Origin(BOX, None)), None, (exec_("/usr/bin/web"), Origin(BOX, None))]
    house.changes(denying("/usr/bin/miner", where="exec"))
    house.judged()
    house.changes(denying("/usr/bin/miner", where="exec"), denying("/other", name="more"))
    house.judged()
    assert subjects(house) == [("/usr/bin/miner", 1, True)]
    assert [done.results["standing"] for done in house.done] == [1, 0]
    assert [type(record.event) for record in house.records] == [Exec]


def test_a_second_change_before_the_first_is_through_begins_anew() -> None:
    house = House()
    house.running = [(exec_("/usr/bin/miner"), Origin(BOX, None))]
    house.does(*(reads(f"/data/{number}") for number in range(50)))
    house.settle()
    house.changes(denying("/usr/bin/miner", where="exec"))
    house.rejudging.step(0)
    house.changes(denying("/usr/bin/miner", where="exec"), denying("/data/7", name="more"))
    house.judged()
    assert sorted(subjects(house)) == [("/data/7", 1, True), ("/usr/bin/miner", 1, True)]
    assert [done.change.generation for done in house.done] == [3]


def test_it_waits_for_the_log_where_everything_becomes_a_violation() -> None:
    house = House()
    house.does(*(reads(f"/data/{number}") for number in range(BEHIND + 10)))
    house.settle()
    house.changes(denying("/data/**"))
    house.rejudging.step(60.0)
    assert house.pipeline.pending == BEHIND
    house.rejudging.step(60.0)
    assert house.pipeline.pending == BEHIND
    house.judged()
    assert set(house.states().values()) == {State.WATCHED}


def test_an_error_makes_everything_news(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.does(reads(PLAIN), reads(SECRET))
    house.settle()
    monkeypatch.setattr(house.findings, "acquit", _broken)
    house.changes(denying(SECRET))
    with pytest.raises(ValueError, match="broken"):
        house.rejudging.step(1.0)
    monkeypatch.undo()
    assert (house.epoch, len(house.remembered), house.rejudging.busy) == (1, 0, False)
    assert house.done[0].failed == "ValueError: broken"
    house.does(reads(SECRET))
    house.settle()
    assert subjects(house) == [(SECRET, 1, False)]


def _broken(_: bytes) -> None:
    raise ValueError("broken")


FLOWS = {
    ("read", "write"): opens,
    ("load",): loads,
    ("write",): changes,
    ("egress",): nets | sockets,
    ("listen",): nets,
}


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """A few things that are done again and again, policies that speak of them, and what the agent does between."""
    verbs = draw(st.sampled_from(list(FLOWS)))
    pool = draw(st.lists(FLOWS[verbs].map(flow), min_size=1, max_size=4))
    sets = st.lists(policies(verbs, "p") | policies(verbs, "q"), max_size=2)
    own = st.sampled_from(["settle", "settle", "slice", "judge", "sweep", "retire"])
    return draw(st.lists(st.one_of(st.sampled_from(pool), sets, own), max_size=25))


def play(house: House, step: Any, seen: list[Any]) -> None:
    match step:
        case list():
            house.changes(*step)
        case "settle":
            house.settle()
        case "slice":
            house.rejudging.step(0.0001)
        case "judge":
            house.judged()
        case "sweep":
            house.sweep(whole=len(seen) % 2 == 0)
        case "retire":
            if house.kernel.flows:
                key = next(iter(house.kernel.flows))
                house.pipeline.see(house.kernel.retire(key))
                seen[:] = [one for one in seen if one.flow != key]
        case _:
            house.does(step)
            seen.append(step)


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from([0, 2, 1000, 1000]))
def test_after_any_changes_live_verdicts_are_those_of_a_fresh_start(history: list[Any], limit: int) -> None:
    live = House(limit=limit)
    seen: list[Any] = []
    for step in history:
        play(live, step, seen)
    live.judged()
    live.does(*seen)  # what had to become news comes again
    live.settle()
    fresh = House(live.policies._now.policies, limit=limit)
    fresh.does(*seen)
    fresh.settle()
    assert live.states() == fresh.states()
    assert limit < 1000 or live.violations() == fresh.violations()
    told = {(one.fingerprint, one.subject) for one in live.told}
    assert {(one.fingerprint, one.subject) for one in fresh.told} <= told, "every violation of now was told"


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_finding_never_counts_more_than_was_done_and_stood(history: list[Any]) -> None:
    live = House()
    seen: list[Any] = []
    for step in history:
        play(live, step, seen)
    live.judged()
    live.sweep()
    done = sum(not isinstance(step, list | str) for step in history)
    standing = sum(getattr(record.event, "standing", False) for record in live.records)
    assert sum(live.totals().values()) <= done + standing
