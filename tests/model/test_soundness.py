"""A flow may be remembered only if its verdict is a function of its key; a folder or network, only if no rule looks deeper.

What the kernel answers for is never judged again, so these hold for every policy that we ship and for any other.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from agent.pipeline import IN_KEY
from model.event import Access, Change, Direction, Exec, File, Flag, Layer, Net, Open, Operation, Protocol, Session, Unix
from model.explain import explain
from model.judge import Compiled, build, compile, judge  # noqa: A004 - that's what it does
from model.origin import Origin
from model.policy import BASELINE, GUARDRAIL, Network, Policy, parse
from model.verdict import Depends, Mode, Outcome, Reason, Verdict
from tests.model.builders import WEB, actor, container
from tests.model.builders import open_ as opened
from tests.model.strategies import (
    KINDS,
    NAMING,
    OFFSET_NS,
    STARTED_NS,
    SUBJECTS,
    VERBS,
    actors,
    addresses,
    changes,
    files,
    keys,
    layers,
    lookups,
    meetings,
    networks,
    numbers,
    paths,
    policies,
    rules,
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
ORIGIN = Origin(replace(WEB, started_ns=STARTED_NS), None)
BESIDE_KEY = ~int(IN_KEY)
STRICTNESS = {Mode.LEARN: 0, Mode.ALERT: 1}


def tables(*chosen: Policy) -> Compiled:
    return build(chosen, 3, OFFSET_NS)


def verdict(judged: Compiled, event: SUBJECTS) -> Verdict | None:
    return judged.judge(event, STARTED_NS)


def met(pair: tuple[Policy, Policy, SUBJECTS]) -> tuple[Compiled, SUBJECTS]:
    return tables(*pair[:2]), pair[2]


MET = meetings().map(met) | st.tuples(
    st.lists(st.sampled_from(SHIPPED), max_size=3, unique_by=lambda policy: policy.id).map(lambda chosen: tables(*chosen)),
    EVERY_KIND,
)
OURS = [tables(policy) for policy in SHIPPED] + [tables(*SHIPPED)]


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
        return replace(other, mode=draw(small), owner=draw(small), flow=draw(keys), target=target_of(event.operation, draw))
    if isinstance(event, Net):
        serves = event.direction is Direction.INGRESS  # then the key has our own port, else the peer's
        peers, ours = (draw(numbers), event.local_port) if serves else (event.port, draw(numbers))
        return replace(other, port=peers, local_port=ours, result=draw(small), name=draw(lookups), flow=draw(keys))
    return replace(other, flow=draw(keys), file=same_file(event.file, draw) if event.file else None)


def target_of(operation: Operation, draw: Any) -> File | None:
    """The second name, which renames and links alone have; of one that a sweep reports it isn't told."""
    return draw(st.none() | files) if operation in NAMING else None


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


def check_twins(judged: Compiled, *twins: SUBJECTS) -> None:
    """What was decided by the key alone holds for whatever comes later under that key."""
    first, second = (verdict(judged, event) for event in sorted(twins, key=lambda event: event.time_ns))
    if first is None or not int(first.depends) & BESIDE_KEY:
        assert first == second


@settings(max_examples=400)
@given(MET, st.data())
def test_equal_keys_give_equal_verdicts(case: tuple[Compiled, SUBJECTS], data: st.DataObject) -> None:
    check_twins(case[0], case[1], like(case[1], data.draw))


@settings(max_examples=300)
@given(policies(("write",)), changes, st.none() | files)
def test_a_change_whose_second_name_matters_says_that_the_key_is_not_enough(policy: Policy, event: Change, target: File) -> None:
    judged = tables(policy)
    named = replace(event, operation=Operation.RENAME)
    check_twins(judged, named, replace(named, target=target))


@settings(max_examples=300)
@given(MET, st.data())
def test_a_verdict_that_expires_holds_until_then(case: tuple[Compiled, SUBJECTS], data: st.DataObject) -> None:
    judged, event = case
    found = verdict(judged, event)
    if found is None or not found.expires_ns:
        return
    assert found.expires_ns > event.time_ns
    assert Depends.TIME in found.depends
    later = replace(event, time_ns=data.draw(st.integers(event.time_ns, found.expires_ns - 1)))
    again = verdict(judged, later)
    assert again is not None
    assert (again.outcome, again.rule, again.mode) == (found.outcome, found.rule, found.mode)


@pytest.mark.parametrize("judged", OURS, ids=[policy.name for policy in SHIPPED] + ["all"])
@given(pair=twins())
def test_equal_keys_give_equal_verdicts_under_each_shipped_policy(judged: Compiled, pair: tuple[SUBJECTS, SUBJECTS]) -> None:
    check_twins(judged, *pair)


@settings(max_examples=300)
@given(MET, st.data())
def test_what_depends_does_not_name_does_not_matter(case: tuple[Compiled, SUBJECTS], data: st.DataObject) -> None:
    judged, event = case
    found = verdict(judged, event)
    if found is None or isinstance(event, Exec | Change):
        return
    assert verdict(judged, changed_elsewhere(event, found.depends, data.draw)) == found


def changed_elsewhere(event: Any, depends: Depends, draw: Any) -> Any:
    """The event with all drawn anew that the verdict says not to have read. Flags belong to the name and the layer."""
    if isinstance(event, Net):
        address = event.address if Depends.ADDRESS in depends else draw(addresses)
        ports = (event.port, event.local_port) if Depends.PORT in depends else (draw(numbers), draw(numbers))
        name = event.name if Depends.NAME in depends else draw(lookups)
        return replace(event, address=address, port=ports[0], local_port=ports[1], name=name)
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
@given(st.sampled_from(["read", "write"]), paths, paths, layers, sessions, times, st.data())
def test_a_uniform_folder_gives_that_verdict_at_any_depth_in_any_session_at_any_time(
    verb: str, folder: str, rest: str, layer: Layer, session: Session, now_ns: int, data: st.DataObject
) -> None:
    judged = tables(data.draw(policies((verb,))))
    uniform = judged.uniform(verb, folder, layer)
    if uniform is not None and uniform.outcome is not Outcome.VIOLATION and session is not Session.RUNTIME:
        access = Access.READ if verb == "read" else Access.WRITE
        event = replace(opened(folder + rest, layer, access, by=actor(session)), time_ns=now_ns)
        found = verdict(judged, event)
        assert found is not None
        assert (found.outcome, found.rule) == (uniform.outcome, uniform.rule)


protocols = st.sampled_from([Protocol.TCP, Protocol.UDP, Protocol.SCTP])
contacts = st.builds(
    Net, times, st.builds(actor, sessions), st.just(Direction.EGRESS), protocols, st.just(""), numbers, st.just(0), st.just(0),
    st.just(b""), lookups,
)  # fmt: skip


@settings(max_examples=600)
@given(policies(("egress",)), networks, st.booleans(), st.integers(0, 2**128), contacts)
def test_a_uniform_network_gives_that_verdict_for_each_address_in_any_session_at_any_time(
    policy: Policy, text: str, narrow: bool, at: int, event: Net
) -> None:
    judged = tables(policy)
    network: Network = ip_network(text)
    if narrow and network.prefixlen < 24:
        network = ip_network(f"{network.network_address}/24")
    uniform = judged.uniform_network("egress", network, event.port, event.protocol)
    if uniform is None or uniform.outcome is Outcome.VIOLATION or event.actor.session is Session.RUNTIME:
        return
    found = verdict(judged, replace(event, address=str(network.network_address + at % network.num_addresses)))
    assert found is not None
    assert (found.outcome, found.rule) == (uniform.outcome, uniform.rule)


@settings(max_examples=300)
@given(meetings())
def test_deny_wins_whatever_else_is_said(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    alone = verdict(tables(first), event)
    if first.tier != BASELINE and alone and alone.outcome is Outcome.VIOLATION and alone.reason.endswith(".denied"):
        together = verdict(tables(first, second), event)
        assert together is not None
        assert together.outcome is Outcome.VIOLATION


@settings(max_examples=300)
@given(meetings())
def test_the_order_of_policies_does_not_matter(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    assert verdict(tables(first, second), event) == verdict(tables(second, first), event)


@settings(max_examples=300)
@given(meetings())
def test_a_guardrail_is_never_widened_by_what_is_below_it(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    if first.tier != GUARDRAIL:
        return
    alone, together = (verdict(tables(*chosen), event) for chosen in ((first,), (first, second)))
    if alone is not None and alone.outcome is Outcome.VIOLATION:
        assert together is not None
        assert together.outcome is Outcome.VIOLATION
        assert STRICTNESS[together.mode] >= STRICTNESS[alone.mode]


@settings(max_examples=300)
@given(meetings())
def test_another_policy_that_learns_never_makes_a_violation_quieter(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    learns = structs.replace(second, verbs={verb: structs.replace(one, mode=Mode.LEARN) for verb, one in second.verbs.items()})
    alone, together = (verdict(tables(*chosen), event) for chosen in ((first,), (first, learns)))
    if first.tier != BASELINE and alone and alone.outcome is Outcome.VIOLATION and alone.mode is Mode.ALERT:
        assert together is not None
        assert (together.outcome, together.mode) == (Outcome.VIOLATION, Mode.ALERT)


@st.composite
def widened(draw: st.DrawFn) -> tuple[Policy, Policy, SUBJECTS]:
    """A policy with one list, the same with one more rule in it, and an event that it speaks of."""
    verbs = draw(st.sampled_from([one for one in KINDS if len(one) == 1]))
    allow, deny = draw(st.lists(rules(verbs[0], "allow"), max_size=4)), draw(st.lists(rules(verbs[0], "deny"), max_size=2))
    more = [*allow, draw(rules(verbs[0], "allow"))]
    narrow, wide = (parse(text_of("p", "alert", {verbs[0]: (listed, deny)}), "p.yaml")[0] for listed in (allow, more))
    return narrow, wide, draw(KINDS[verbs])


@settings(max_examples=300)
@given(widened())
def test_one_more_allowed_thing_never_makes_a_violation(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    narrow, wide = (verdict(tables(policy), case[2]) for policy in case[:2])
    if narrow is not None and narrow.outcome is Outcome.ALLOWED:
        assert wide is not None
        assert wide.outcome is Outcome.ALLOWED


@settings(max_examples=300)
@given(meetings(plain=True))
def test_what_one_allows_is_allowed_unless_somebody_denies_it(case: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = case
    found = explain(tables(first, second), event, ORIGIN)
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
    elif not isinstance(event, Net) or event.direction in (Direction.LISTEN, Direction.BIND):
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
    judged = tables(policy)
    file = File(path, layer, flag, 1, 2, 3, 4, 5)
    for verb in judged.every.paths.values():
        if verb.listed and verb.decide(file).outcome is Outcome.ALLOWED:
            assert layer is Layer.IMAGE
            assert flag not in (Flag.OUTSIDE, Flag.CLAIMED)
    event = Unix(1, actor(session), file, "", 0, b"")
    if judged.verbs["egress"].listed and session is not Session.RUNTIME:
        assert judge(judged, event, ORIGIN).outcome is not Outcome.ALLOWED


def test_containers_with_the_same_policies_have_the_same_verdicts() -> None:
    one, two = compile(SHIPPED, WEB, 3), compile(SHIPPED, container("other"), 3)
    assert one.policies == two.policies
