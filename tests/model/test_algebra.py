"""How policies act together: each sentence of the documentation, judged by the example that stands below it."""

import re
from pathlib import Path

import pytest

from model.event import Event, Layer
from model.judge import compile, judge_container  # noqa: A004 - that's what it does
from model.origin import Container
from model.policy import parse
from model.verdict import Mode, Outcome, Reason, Verdict
from tests.model.builders import connect, container, exec_, open_

PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "policies.md").read_text()
EXAMPLES = dict(re.findall(r"^### ([^\n]+)\n(?:(?!^#)[^\n]*\n)*?```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
WEB = container("web", "registry.example.com/shop/web:1.2")
ALLOWED, VIOLATION, UNJUDGED = Outcome.ALLOWED, Outcome.VIOLATION, Outcome.UNJUDGED


def verdict(sentence: str, event: Event, of: Container = WEB, without: str = "") -> Verdict:
    policies = [policy for policy in parse(EXAMPLES[sentence], "policies.md") if policy.name != without]
    found = compile(policies, of, 1).judge(event)
    assert found is not None
    return found


def outcome(sentence: str, event: Event, of: Container = WEB) -> Outcome:
    return verdict(sentence, event, of).outcome


def test_an_allow_list_makes_its_verb_default_deny() -> None:
    sentence = "An allow list makes its verb default-deny"
    assert outcome(sentence, exec_("/usr/sbin/nginx")) is ALLOWED
    assert outcome(sentence, exec_("/bin/sh")) is VIOLATION
    assert outcome(sentence, connect("10.0.0.1")) is UNJUDGED


def test_deny_alone_does_not() -> None:
    assert outcome("Deny alone does not", open_("/etc/passwd")) is ALLOWED
    assert outcome("Deny alone does not", open_("/etc/shadow")) is VIOLATION


def test_deny_always_wins() -> None:
    assert outcome("Deny always wins", open_("/etc/passwd")) is ALLOWED
    assert verdict("Deny always wins", open_("/etc/shadow")).reason is Reason.READ_DENIED


def test_allow_lists_unite() -> None:
    programs = ("/usr/sbin/nginx", "/usr/bin/curl", "/bin/sh")
    assert [outcome("Allow lists unite", exec_(path)) for path in programs] == [ALLOWED, ALLOWED, VIOLATION]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.example.com/shop/web:1.2", [ALLOWED, ALLOWED]),
        ("registry.example.com/shop/web:2.0", [ALLOWED, VIOLATION]),
        ("web:1.2", [VIOLATION, ALLOWED]),
    ],
)
def test_requirements_intersect(image: str, expected: list[Outcome]) -> None:
    web = container("web", image)
    judged = compile(parse(EXAMPLES["Requirements intersect"], "p"), web, 1)
    assert [one.outcome for one in judge_container(judged, web)] == expected


def test_a_guardrail_is_a_ceiling() -> None:
    tool = exec_("/tmp/tool", Layer.WRITABLE)
    assert outcome("A guardrail is a ceiling", exec_("/usr/sbin/nginx")) is ALLOWED
    assert verdict("A guardrail is a ceiling", tool).policy == "programs-of-the-image"
    assert verdict("A guardrail is a ceiling", tool, without="programs-of-the-image").outcome is ALLOWED
    assert verdict("A guardrail is a ceiling", exec_("/bin/sh")).policy == "web", "it gives nothing"


def test_a_baseline_holds_where_nothing_else_selects() -> None:
    sentence = "A baseline holds where nothing else selects"
    assert outcome(sentence, connect("10.0.0.1")) is UNJUDGED
    assert outcome(sentence, connect("10.0.0.1"), container("other")) is VIOLATION


def test_the_strictest_mode_wins() -> None:
    sentence = "The strictest mode wins"
    assert verdict(sentence, open_("/etc/shadow")).mode is Mode.ALERT
    assert verdict(sentence, open_("/etc/passwd")).mode is Mode.LEARN


@pytest.mark.parametrize("program", ["/bin/sh", "/bin/nc"])
def test_learn_never_weakens(program: str) -> None:
    found = verdict("Learn never weakens", exec_(program))
    assert (found.outcome, found.mode) == (VIOLATION, Mode.ALERT)


def test_every_sentence_has_its_test_and_its_example() -> None:
    section = PAGE.partition("## How policies act together")[2].partition("\n## ")[0]
    sentences = re.findall(r"^### (.+)$", section, re.MULTILINE)
    named = {f"test_{re.sub(r'[^a-z]+', '_', sentence.lower())}" for sentence in sentences}
    assert set(sentences) <= EXAMPLES.keys()
    assert named <= globals().keys()
