"""The JSON Schema for editors takes what we take, and refuses what has another form."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from model.cases import GroupShape
from model.document import DocumentShape
from model.positions import Plain, read
from model.problem import Text
from model.schema import DRAFT, schema_of
from tests.model.strategies import VERBS, lists, text_of
from tests.model.test_lint import document
from tests.model.test_policy import WEB
from tests.model.test_rules import FILES, RULES
from tests.project.tree import ROOT

POLICY = schema_of(DocumentShape, "Vedette policy")
TEST = schema_of(GroupShape, "Vedette policy test")
EXAMPLES = [*FILES, *sorted((ROOT / "demo/rules").glob("*.yaml")), *sorted((ROOT / "tests/agent/rules").glob("*.yaml"))]


def refused(text: str, schema: dict[str, Any]) -> list[str]:
    """What the schema says against each document, as an editor reads it: words, never numbers or dates."""
    validator = Draft7Validator(schema)
    return [error.message for one in read(Text(text, "x")) for error in validator.iter_errors(as_an_editor(one.plain()))]


def as_an_editor(value: Plain) -> object:
    """Numbers and truth are written as such where the schema wants them."""
    if isinstance(value, list):
        return [as_an_editor(item) for item in value]
    if isinstance(value, dict):
        return {key: as_an_editor(item) for key, item in value.items()}
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("schema", [POLICY, TEST], ids=["policy", "test"])
def test_it_is_a_schema_of_the_draft_that_it_names(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == DRAFT
    Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_policy_that_is_shipped_or_tested_with_is_one_by_the_schema(path: Any) -> None:
    assert refused(path.read_text(), POLICY) == []


@pytest.mark.parametrize("path", sorted(RULES.rglob("*.test.yaml")), ids=lambda path: path.name)
def test_every_test_of_them_is_one_by_the_schema(path: Any) -> None:
    assert refused(path.read_text(), TEST) == []


@settings(max_examples=100)
@given(st.data())
def test_every_policy_that_we_take_the_schema_takes(data: st.DataObject) -> None:
    said = {verb: data.draw(lists(verb)) for verb in VERBS}
    assert refused(text_of("p", data.draw(st.sampled_from(["learn", "alert"])), said), POLICY) == []


def test_short_forms_and_modes_for_each_verb_are_taken() -> None:
    assert refused(WEB, POLICY) == []


@pytest.mark.parametrize(
    "lines",
    [
        "exce: {allow: []}",
        "exec: {allow: [{path: /a, frm: [image]}]}",
        "exec: {allow: [{path: /a, from: [imag]}]}",
        "exec: {allow: [{from: [image]}]}",
        "exec: {allow: /a}",
        "exec: {allow: [[]]}",
        "mode: lern",
        "mode: {exec: lern}",
        "mode: {exce: alert}",
        "egress: {allow: [{to: 10.0.0.1, ports: []}]}",
    ],
)
def test_what_has_another_form_is_refused(lines: str) -> None:
    assert refused(document(lines), POLICY)


@pytest.mark.parametrize(
    "case",
    [
        "exec: /a",
        "exec: /a, expect: allowd",
        "exec: {path: /a, from: imag}, expect: allowed",
        "open: {path: /a, access: r}, expect: allowed",
    ],
)
def test_a_case_of_another_form_is_refused(case: str) -> None:
    assert refused(f"cases: [{{{case}}}]", TEST)
