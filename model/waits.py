"""What a valid policy says that this version, or a node without Kubernetes, can't do yet. Nothing of it is silently left out.

For `vedette check` and for the agent's start: every part that has no effect, or another one than it seems to have.
"""

from collections.abc import Iterator

from msgspec import Struct

from model.policy import KubernetesRule, NameRule, Policy, Rule, Rules
from model.problem import shown
from model.requirements import unknown
from model.rule import waiting_sessions
from model.verdict import Mode


class Wait(Struct, frozen=True):
    """One part of a policy that waits for something."""

    source: str  # file:line:col
    message: str
    hint: str


def waits(policy: Policy, now_ns: int | None = None) -> Iterator[Wait]:
    """All of them, in the order of the policy's parts. `now_ns`: Unix time, to tell which exceptions are over."""
    yield from _of_selector(policy)
    for verb, rules in policy.verbs.items():
        yield from _of_verb(verb, rules)
    for one in unknown(policy.requirements):
        yield Wait(one.source, f"{one.field} is judged nowhere yet: its verdict is {one.verb_unknown}", "leave it in: it waits")
    for exemption in policy.exemptions:
        if now_ns is not None and exemption.until_ns <= now_ns:
            hint = f"{exemption.owner} decides: correct the cause, or write a later day"
            yield Wait(exemption.source, f"the exception of {shown(exemption.rule)} ended with {exemption.until}", hint)


def _of_selector(policy: Policy) -> Iterator[Wait]:
    for field in policy.selector.waits:
        message = f"select.{field} is known to Kubernetes alone: on this node the policy selects nothing"
        yield Wait(policy.source, message, "select by names, images or namespaces, which the runtime's record has")


def _of_verb(verb: str, rules: Rules) -> Iterator[Wait]:
    if rules.mode is Mode.ENFORCE:
        yield Wait(rules.source, f"this node does not enforce: what violates {verb} is alerted on", "alert says the same")
    for rule in (*(rules.allow or ()), *rules.deny):
        yield from _of_rule(rule, rules.mode)


def _of_rule(rule: Rule, mode: Mode) -> Iterator[Wait]:
    if isinstance(rule, KubernetesRule):
        yield Wait(
            rule.source, f"{shown(rule.text)} matches nothing on this node: {rule.waits}", "write the addresses until then"
        )
    if isinstance(rule, NameRule) and mode is Mode.ENFORCE:
        hint = "a name is what was looked up, and a program can connect without that: write addresses to enforce"
        yield Wait(rule.source, f"{shown(rule.text)}: names can alert, they can't enforce", hint)
    for session in waiting_sessions(rule):
        hint = "until then such processes are of session exec"
        yield Wait(rule.source, f"session {session} is told apart by Kubernetes alone: the rule holds for none", hint)
