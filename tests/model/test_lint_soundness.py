"""What lint calls superfluous is: without it every verdict stays as it was. Over any policies and events."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from model.judge import compile  # noqa: A004 - that's what it does
from model.lint import lint
from model.policy import Policy, Rule, Rules
from model.problem import Code, Problem
from tests.model.builders import WEB
from tests.model.strategies import SUBJECTS, meetings

SUPERFLUOUS = {Code.SHADOWED, Code.TWICE, Code.UNREACHABLE, Code.CONTRADICTION}
Change = Callable[[Rules], Rules]


def lists_without(place: str) -> Change:
    def without(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(rule for rule in rules if rule.source != place)

    return lambda rules: replace(rules, allow=None if rules.allow is None else without(rules.allow), deny=without(rules.deny))


def without(policies: list[Policy], warning: Problem) -> list[Policy]:
    """The policies without what the warning is about."""
    place = f"{warning.file}:{warning.line}:{warning.column}"
    change = lists_without(place)
    return [replace(one, verbs={verb: change(rules) for verb, rules in one.verbs.items()}) for one in policies]


def verdict(policies: list[Policy], event: SUBJECTS) -> tuple[object, ...] | None:
    found = compile(policies, WEB, 1).judge(event)
    return None if found is None else (found.outcome, found.verb, found.reason, found.mode, found.severity)


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(meetings())
def test_a_rule_or_list_that_lint_calls_superfluous_changes_no_verdict(meeting: tuple[Policy, Policy, SUBJECTS]) -> None:
    first, second, event = meeting
    policies = [first, second]
    before = verdict(policies, event)
    for warning in lint(policies, {"p.yaml": "", "q.yaml": ""}):
        if warning.code in SUPERFLUOUS:
            assert verdict(without(policies, warning), event) == before, (str(warning), policies)
