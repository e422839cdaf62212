"""`vedette test`: the shipped policies do what their tests say; exit codes, JSON, which files are run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.__main__ import app
from model.problem import Code
from tests.model.test_lint import document
from tests.model.test_rules import FILES, RULES

PASSES = "cases: [{open: /etc/shadow, expect: read.denied}]"
FAILS = "cases: [{open: /etc/shadow, expect: allowed}]"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["test", *map(str, words)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(document("read: {deny: [/etc/shadow]}"))
    return tmp_path


def test_every_policy_that_is_shipped_does_what_its_tests_say() -> None:
    told = run(RULES)
    assert told.exit_code == 0, told.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_policy_that_is_shipped_has_tests_of_what_it_allows_or_leaves_alone_and_of_a_violation(path: Path) -> None:
    told = run(path, "--json")
    assert told.exit_code == 0, told.stdout
    text = path.with_suffix(".test.yaml").read_text()
    assert any(word in text for word in ("denied", "not_allowed", "drift"))
    assert "allowed" in text


@pytest.mark.parametrize(("text", "code"), [(PASSES, 0), (FAILS, 1), ("cases: [", 1)])
def test_the_exit_code_says_whether_every_case_is_as_expected(folder: Path, text: str, code: int) -> None:
    (folder / "p.test.yaml").write_text(text)
    for path in (folder, folder / "p.yaml", folder / "p.test.yaml"):
        assert run(path).exit_code == code


def test_without_a_path_the_current_folder_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "p.test.yaml").write_text(PASSES)
    monkeypatch.chdir(folder)
    assert "1 case in 1 file: 1 passed, 0 failed" in run().stdout


def test_json_has_each_failure_with_place_and_both_verdicts(folder: Path) -> None:
    (folder / "p.test.yaml").write_text(FAILS)
    told = json.loads(run(folder, "--json").stdout)
    assert (told["cases"], told["passed"], told["problems"]) == (1, 0, [])
    (failure,) = told["failures"]
    assert (failure["line"], failure["column"], failure["code"]) == (1, 10, Code.TEST_FAILED)
    assert (failure["expected"]["verdict"], failure["got"]["verdict"]) == ("allowed", "violation")


def test_a_group_may_name_other_policies_and_a_second_one_in_another_file_counts_too(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more/q.yaml").write_text(document("read: {deny: [/etc/passwd]}", "q"))
    (folder / "both.test.yaml").write_text(
        "policies: [p.yaml, more/q.yaml]\ncases:\n"
        "  - {open: /etc/shadow, expect: read.denied}\n  - {open: /etc/passwd, expect: read.denied}\n"
    )
    told = run(folder)
    assert told.exit_code == 0, told.stdout


def test_a_policy_that_is_not_there_or_has_errors_is_told(folder: Path) -> None:
    (folder / "gone.test.yaml").write_text(PASSES)
    (folder / "bad.yaml").write_text("kind: [")
    (folder / "bad.test.yaml").write_text("policies: [bad.yaml, none.yaml]\n" + PASSES)
    told = json.loads(run(folder, "--json").stdout)
    assert [(Path(one["file"]).name, one["line"]) for one in told["problems"]] == [
        ("bad.test.yaml", 1), ("bad.yaml", 2), ("gone.test.yaml", 1),
    ]  # fmt: skip
    assert told["cases"] == 0


def test_nothing_to_run_is_a_wrong_call(folder: Path) -> None:
    for words in ((folder,), (folder / "p.yaml",), (folder / "none",)):
        told = run(*words)
        assert (told.exit_code, told.stdout) == (2, "")
        assert "hint: " in told.stderr
