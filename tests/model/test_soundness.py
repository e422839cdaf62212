"""A flow may be remembered only if its verdict is a function of its key; a folder or network, only if no rule looks deeper.

What the kernel answers for is never judged again, so these hold for every policy that we ship and for any other.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from model.event import Change, Direction, Exec, File, Flag, Layer, Net, Open, Session, Unix
from model.explain import explain
from model.judge import Compiled, build, compile, judge  # noqa: A004 - that's what it does
from model.policy import Network, Policy, parse
from model.verdict import Depends, Outcome, Reason, Verdict
from tests.model.builders import ORIGIN, WEB, actor, container
from tests.model.strategies import (
    KINDS,
    RULES,
    SUBJECTS,
    VERBS,
    actors,
    addresses,
    changes,
    files,
    keys,
    layers,
    meetings,
    networks,
    numbers,
    paths,
    policies,
    sessions,
    small,
    text_of,
    texts,
    times,
)

SHIPPED = [
    policy
    for path in sorted((Path(__file__).parents[2] / "rules").rglob("*.yaml"))
    if not path.name.endswith(".test.yaml")
    for policy in parse(path.read_text(), path.name)
]
EVERY_KIND = st.one_of(*KINDS.values())


def met(pair: tuple[Policy, Policy, SUBJECTS]) -> tuple[Compiled, SUBJECTS]:
    return build(pair[:2], 3), pair[2]


MET = meetings().map(met) | st.tuples(
    st.lists(st.sampled_from(SHIPPED), max_size=3, unique_by=lambda policy: policy.id).map(lambda chosen: build(chosen, 3)),
    EVERY_KIND,
)
OURS = [build([policy], 3) for policy in SHIPPED] + [build(SHIPPED, 3)]


def like(event: Any, draw: Any) -> Any:
    """Another event with the same key: all that the key does not hold is drawn anew."""
    was = event.actor
    by = replace(draw(actors), container=was.container, session=was.session, exe=was.exe, euid=was.euid, tty=was.tty)
    other = replace(event, time_ns=draw(times), actor=by)
    if isinstance(event, Exec):
        return replace(
            other, argv=draw(texts), cwd=draw(paths), uid=draw(small), capabilities=draw(small), standing=draw(st.booleans())
        )
    if isinstance(event, Change):
        return replace(other, mode=draw(small), owner=draw(small), flow=draw(keys), target=draw(st.none() | files))
    if isinstance(event, Net):
        return replace(other, local_port=draw(numbers), result=draw(small), name=draw(st.text(max_size=3)), flow=draw(keys))
    return replace(other, flow=draw(keys), file=same_file(event.file, draw) if event.file else None)


def same_file(file: File, draw: Any) -> File:
    """Process ids are one name to the key."""
    path = file.path
    if file.layer in (Layer.PROC_SELF, Layer.PROC_OTHER) and path.startswith("/proc/77"):
        path = path.replace("/proc/77", f"/proc/{draw(st.integers(1, 99999))}", 1)
    return replace(file, path=path, ctime_ns=draw(small))


@st.composite
def twins(draw: st.DrawFn) -> tuple[SUBJECTS, SUBJECTS]:
    event = draw(EVERY_KIND)
    return event, like(event, draw)


def check_twins(judged: Compiled, first: SUBJECTS, second: SUBJECTS) -> None:
    one, two = judged.judge(first), judged.judge(second)
    both = (one.depends if one else Depends(0)) | (two.depends if two else Depends(0))
    if Depends.TARGET not in both:  # else it says itself that the key is not enough
        assert one == two


@settings(max_examples=400)
@given(MET, st.data())
def test_equal_keys_give_equal_verdicts(case: tuple[Compiled, SUBJECTS], data: st.DataObject) -> None:
    check_twins(case[0], case[1], like(case[1], data.draw))


@settings(max_examples=300)
@given(policies(("write",)), changes, st.none() | files)
def test_a_change_whose_second_name_matters_says_that_the_key_is_not_enough(policy: Policy, event: Change, target: File) -> None:
    judged = build([policy], 3)
    check_twins(judged, event, replace(event, target=target))


@pytest.mark.parametrize("judged", OURS, ids=[policy.name for policy in SHIPPED] + ["all"])
@given(pair=twins())
def test_equal_keys_give_equal_verdicts_under_each_shipped_policy(judged: Compiled, pair: tuple[SUBJECTS, SUBJECTS]) -> None:
    check_twins(judged, *pair)


@settings(max_examples=300)
@given(MET, st.data())
def test_what_depends_does_not_name_does_not_matter(case: tuple[Compiled, SUBJECTS], data: st.DataObject) -> None:
    judged, event = case
    verdict = judged.judge(event)
    if verdict is None or isinstance(event, Exec | Change):
        return
    assert judged.judge(changed_elsewhere(event, verdict.depends, data.draw)) == verdict


def changed_elsewhere(event: Any, depends: Depends, draw: Any) -> Any:
    """The event with all drawn anew that the verdict says not to have read. Flags belong to the name and the layer."""
    if isinstance(event, Net):
        address = event.address if Depends.ADDRESS in depends else draw(addresses)
        port = event.port if Depends.PORT in depends else draw(numbers)
        return replace(event, address=address, port=port)
    file = event.file
    if file is None:
        return event if Depends.PATH in depends else replace(event, abstract=draw(paths))
    other = draw(files)
    names_processes = {file.layer, other.layer} & {Layer.PROC_SELF, Layer.PROC_OTHER}  # a part of the name, there
    file = replace(
        file,
        path=file.path if Depends.PATH in depends else other.path,
        layer=file.layer if Depends.LAYER in depends or (Depends.PATH in depends and names_processes) else other.layer,
        flags=file.flags if depends & (Depends.PATH | Depends.LAYER) else other.flags,
    )
    return replace(event, file=file)


@settings(max_examples=400)
@given(st.sampled_from(VERBS[:4]), paths, paths, layers, st.data())
def test_a_uniform_folder_gives_that_verdict_at_any_depth(
    verb: str, folder: str, rest: str, layer: Layer, data: st.DataObject
) -> None:
    judged = build([data.draw(policies((verb,)))], 3)
    uniform = judged.uniform(verb, folder, layer)
    if uniform is not None:
        assert decide(judged, verb, File(folder + rest, layer, Flag(0), 1, 2, 3, 4, 5)) == uniform


def decide(judged: Compiled, verb: str, file: File) -> Verdict:
    return {"exec": judged.exec, "load": judged.load, "read": judged.read, "write": judged.write}[verb].decide(file)


@settings(max_examples=600)
@given(st.sampled_from(VERBS[4:]), networks, st.integers(0, 2**128), numbers, st.sampled_from([6, 17, 132]), st.data())
def test_a_uniform_network_gives_that_verdict_for_each_address(
    verb: str, text: str, at: int, port: int, protocol: int, data: st.DataObject
) -> None:
    judged = build([data.draw(policies((verb,)))], 3)
    network: Network = ip_network(text)
    if data.draw(st.booleans()) and network.prefixlen < 24:
        network = ip_network(f"{network.network_address}/24")
    uniform = judged.uniform_network(verb, network, port, protocol)
    if uniform is None:
        return
    address = network.network_address + at % network.num_addresses
    verbs = {"egress": judged.egress, "listen": judged.listen}
    assert verbs[verb].decide(str(address), protocol, port) == uniform


@settings(max_examples=300)
@given(meetings())
def test_deny_wins_whatever_else_is_said(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    alone = build([first], 3).judge(event)
    if alone is not None and alone.reason.endswith(".denied"):
        together = build([first, second], 3).judge(event)
        assert together is not None
        assert together.outcome is Outcome.VIOLATION


@settings(max_examples=300)
@given(meetings())
def test_the_order_of_policies_does_not_matter(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    assert build([first, second], 3).judge(event) == build([second, first], 3).judge(event)


@st.composite
def widened(draw: st.DrawFn) -> tuple[Policy, Policy, SUBJECTS]:
    """A policy with one list, the same with one more rule in it, and an event that it speaks of."""
    verbs = draw(st.sampled_from([one for one in KINDS if len(one) == 1]))
    rules = RULES[verbs[0]]
    allow, deny = draw(st.lists(rules, max_size=4)), draw(st.lists(rules, max_size=2))
    more = [*allow, draw(rules)]
    narrow, wide = (parse(text_of("p", "alert", {verbs[0]: (listed, deny)}), "p.yaml")[0] for listed in (allow, more))
    return narrow, wide, draw(KINDS[verbs])


@settings(max_examples=300)
@given(widened())
def test_one_more_allowed_thing_never_makes_a_violation(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    narrow, wide = (build([policy], 3).judge(case[2]) for policy in case[:2])
    if narrow is not None and narrow.outcome is Outcome.ALLOWED:
        assert wide is not None
        assert wide.outcome is Outcome.ALLOWED


@settings(max_examples=300)
@given(meetings())
def test_what_one_allows_is_allowed_unless_somebody_denies_it(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    judged = build([first, second], 3)
    found = explain(judged, event, ORIGIN)
    if isinstance(event, Open | Change | Exec) or not found.tried:
        return
    denied = any(one.matched for one in found.tried if one.which == "deny")
    allowed = any(one.matched for one in found.tried if one.which == "allow")
    listed = any(
        verb.allow is not None for policy in (first, second) for name, verb in policy.verbs.items() if name == found.verdict.verb
    )
    if denied:
        assert found.verdict.reason.endswith(".denied")
    elif allowed or not listed:
        assert found.verdict.outcome is Outcome.ALLOWED
    elif not isinstance(event, Net) or event.direction is not Direction.EGRESS:
        assert found.verdict.outcome is Outcome.VIOLATION


@settings(max_examples=300)
@given(MET)
def test_the_decisive_rule_is_one_that_matches(case: tuple[Compiled, SUBJECTS]) -> None:
    judged, event = case
    found = explain(judged, event, ORIGIN)
    rule = found.verdict.rule
    if found.verdict.outcome is Outcome.ALLOWED and rule:
        assert any(one.decisive and one.matched for one in found.tried)
    if found.verdict.reason.endswith(".denied"):
        assert any(one.decisive and one.which == "deny" for one in found.tried)


@given(MET)
def test_the_runtimes_steps_are_never_a_violation(case: tuple[Compiled, SUBJECTS]) -> None:
    judged, event = case
    step = replace(event, actor=replace(event.actor, session=Session.RUNTIME))
    assert judge(judged, step, ORIGIN).reason in (Reason.RUNTIME, Reason.NONE)


@given(
    policies(VERBS),
    st.sampled_from([Flag.CUT, Flag.UNSTABLE, Flag.OUTSIDE, Flag.CLAIMED, Flag.DISCONNECTED]),
    paths,
    layers,
    sessions,
)
def test_no_path_rule_allows_a_name_that_is_not_sure(
    policy: Policy, flag: Flag, path: str, layer: Layer, session: Session
) -> None:
    judged = build([policy], 3)
    file = File(path, layer, flag, 1, 2, 3, 4, 5)
    for verb in (judged.exec, judged.load, judged.read, judged.write):
        verdict = verb.decide(file)
        if verb.listed and verdict.outcome is Outcome.ALLOWED:
            assert layer is Layer.IMAGE
            assert flag not in (Flag.OUTSIDE, Flag.CLAIMED)
    event = Unix(1, actor(session), file, "", 0, b"")
    if judged.egress.listed:
        assert judge(judged, event, ORIGIN).outcome is not Outcome.ALLOWED


def test_containers_with_the_same_policies_have_the_same_verdicts() -> None:
    one, two = compile(SHIPPED, WEB, 3), compile(SHIPPED, container("other"), 3)
    assert one.policies == two.policies
