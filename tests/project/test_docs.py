import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from docs import generate
from docs.picture import LINES, picture, shortened
from docs.sources import classes
from model import document, entries
from model.policy import parse
from tests.project.tree import ROOT, files

PAGES = [*files("docs/*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
LINK = re.compile(r"\[[^]]+\]\(([^)\s]+)\)")
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("name", list(generate.pages()))
def test_the_reference_says_what_the_code_says(name: str) -> None:
    assert (generate.REFERENCE / name).read_text() == generate.pages()[name], "run: make docs"


@pytest.mark.parametrize("name", ["commands.md", "metrics.md", "problems.md", "reasons.md", "settings.md"])
def test_nothing_there_is_without_a_meaning(name: str) -> None:
    assert [line for line in generate.pages()[name].splitlines() if line.endswith("|  |")] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file_and_a_heading_of_ours(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not leads_somewhere(page, link)] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    assert [named(page) for page in files("docs/*.md") if page != index and page not in linked] == []


@pytest.mark.parametrize("page", list(files("docs/decisions/*.md")), ids=named)
def test_a_decision_says_context_choice_cost_and_when_to_revisit(page: Path) -> None:
    said = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", page.read_text(), re.MULTILINE)
    assert said == ["Context", "Choice", "What it costs", "When to revisit"]


@pytest.mark.parametrize(("page", "text"), [(page, text) for page in PAGES for text in YAML.findall(page.read_text())])
def test_every_policy_in_the_docs_is_one(page: Path, text: str) -> None:
    if "kind: Policy" in text or "kind: ClusterPolicy" in text:
        assert len(parse(text, named(page))) == text.count("apiVersion:")


def test_every_field_of_a_policy_is_explained() -> None:
    explained = (ROOT / "docs" / "concepts" / "policies.md").read_text()
    assert [name for name in sorted(policy_fields()) if not re.search(rf"\b{name}\b", explained)] == []


def test_fields_are_read_with_the_comment_behind_them(tmp_path: Path) -> None:
    source = tmp_path / "some.py"
    source.write_text('class Some(Struct, tag="some"):\n    """Doc."""\n\n    a: int\n    b: str = "#"  # in ns; "" if unknown\n')
    (some,) = classes(source)
    assert (some.doc, some.words) == ("Doc.", {"tag": "some"})
    assert [(field.name, field.type, field.value, field.comment) for field in some.fields] == [
        ("a", "int", "", ""),
        ("b", "str", "#", 'in ns; "" if unknown'),
    ]


def test_a_picture_of_a_terminal_calls_no_other_host() -> None:
    svg = picture("\x1b[31mexec.drift\x1b[0m /tmp/x <b>", "a title")
    assert "exec.drift" in svg
    assert "&lt;b&gt;" in svg
    assert re.findall(r"url\([^#]", svg) == []


def test_a_picture_keeps_its_columns_also_where_leading_spaces_are_dropped() -> None:
    svg = picture("\x1b[31ma\x1b[0m    b", "a title")
    assert 'x="61.0"' in svg
    assert ">b</text>" in svg or ">b&#160;" in svg
    assert ">&#160;" not in svg


def test_a_long_story_keeps_its_begin_and_its_end_in_the_picture_and_says_that_it_is_cut() -> None:
    told = "\n\n".join(f"{number}.\n" + "line\n" * 6 for number in range(9))
    lines = shortened(told)
    assert len(lines) <= LINES
    assert [line for line in lines if line and line != "line"] == ["0.", "  ⋮", "6.", "7.", "8."]
    assert shortened("one\n\ntwo\n") == ["one", "", "two", ""]


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or anchor in set(anchors(target))


def anchors(page: Path) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def policy_fields() -> set[str]:
    found = (*vars(document).values(), *vars(entries).values())
    shapes = [shape for shape in found if isinstance(shape, type) and issubclass(shape, BaseModel)]
    return {field.alias or name for shape in shapes for name, field in shape.model_fields.items()}
