"""The live set of policies: what is in force stays in force until there is something better."""

import shutil
from pathlib import Path

import pytest

from agent.policies import COMPILED, Policies, files_of
from agent.texts import FILE_BYTES
from model.origin import Container, Origin
from model.verdict import Outcome
from tests.outputs.builders import exec_

BOX = Container(7, "/box", "id", "box", "", "runc")


def policy(allow: str, name: str = "p") -> str:
    return f"""apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: {name}}}
spec:
  select: {{containers: {{names: ["*"]}}}}
  mode: alert
  exec: {{allow: [{allow}]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one policy, which allows /bin/a."""
    made = tmp_path / "rules"
    made.mkdir()
    (made / "p.yaml").write_text(policy("/bin/a"))
    return made


@pytest.fixture
def loaded(folder: Path) -> Policies:
    policies = Policies([folder])
    assert policies.load()
    return policies


def allowed(policies: Policies, *paths: str, container: Container = BOX) -> list[str]:
    """Which of these programs the set lets the container execute."""
    verdicts = {path: policies.judge(exec_(path), Origin(container, None)) for path in paths}
    return [path for path, verdict in verdicts.items() if verdict is not None and verdict.outcome is Outcome.ALLOWED]


def test_what_is_read_is_in_force_with_a_generation_of_its_own(folder: Path, loaded: Policies) -> None:
    assert (len(loaded), loaded.generation, loaded.problems) == (1, 1, ())
    assert allowed(loaded, "/bin/a", "/bin/b") == ["/bin/a"]
    (folder / "p.yaml").write_text(policy("/bin/b"))
    assert loaded.load()
    assert loaded.generation == 2
    assert allowed(loaded, "/bin/a", "/bin/b") == ["/bin/b"], "what was compiled before counts no more"


def test_the_same_again_is_no_new_generation(folder: Path, loaded: Policies) -> None:
    (folder / "p.yaml").touch()
    assert not loaded.load()
    assert loaded.generation == 1


@pytest.mark.parametrize("bad", ["kind: [", policy("/bin/b").replace("exec:", "exek:"), "\xff", "x" * (FILE_BYTES + 1)])
def test_a_bad_file_changes_nothing_and_is_said_until_it_is_good(folder: Path, loaded: Policies, bad: str) -> None:
    (folder / "q.yaml").write_text(bad, encoding="latin-1")
    (folder / "p.yaml").write_text(policy("/bin/b"))
    assert not loaded.load()
    assert loaded.problems[0].file == f"{folder}/q.yaml"
    assert (loaded.generation, allowed(loaded, "/bin/a", "/bin/b")) == (1, ["/bin/a"]), "the good file beside it waits, too"
    (folder / "q.yaml").unlink()
    assert loaded.load()
    assert (loaded.problems, loaded.generation, allowed(loaded, "/bin/a", "/bin/b")) == ((), 2, ["/bin/b"])


def test_at_the_start_the_good_files_count_beside_a_bad_one(folder: Path) -> None:
    (folder / "q.yaml").write_text("kind: [")
    policies = Policies([folder])
    assert policies.load()
    assert (len(policies), len(policies.problems), policies.generation) == (1, 1, 1)


def test_a_folder_that_vanishes_changes_nothing_and_one_that_comes_back_is_read(folder: Path, loaded: Policies) -> None:
    shutil.rmtree(folder)
    assert not loaded.load()
    (problem,) = loaded.problems
    assert (problem.file, "is gone" in problem.message) == (str(folder), True)
    assert allowed(loaded, "/bin/a") == ["/bin/a"]
    folder.mkdir()
    (folder / "p.yaml").write_text(policy("/bin/b"))
    assert loaded.load()
    assert (loaded.problems, allowed(loaded, "/bin/a", "/bin/b")) == ((), ["/bin/b"])


def test_an_emptied_folder_means_no_policies(folder: Path, loaded: Policies) -> None:
    (folder / "p.yaml").unlink()
    assert loaded.load()
    assert (len(loaded), loaded.generation) == (0, 2)


def test_without_a_folder_at_the_start_there_are_no_policies_and_it_is_said(tmp_path: Path) -> None:
    policies = Policies([tmp_path / "none"])
    assert policies.load()
    assert (len(policies), policies.problems[0].message) == (0, "there is no such folder")


def test_two_files_of_one_name_and_two_policies_of_one_name_all_count(folder: Path, loaded: Policies) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "p.yaml").write_text(policy("/bin/b"))
    assert loaded.load()
    assert (len(loaded), loaded.problems) == (2, ())
    assert allowed(loaded, "/bin/a", "/bin/b", "/bin/c") == ["/bin/a", "/bin/b"], "allowlists unite"


def test_one_file_is_a_folder_of_one(folder: Path) -> None:
    (folder / "q.yaml").write_text("kind: [")
    policies = Policies([folder / "p.yaml"])
    assert policies.load()
    assert (len(policies), policies.problems) == (1, ())


def test_examples_tests_and_other_files_are_no_policies(folder: Path) -> None:
    (folder / "examples").mkdir()
    for name in ("examples/e.yaml", "t.test.yaml", "README.md", "p.yaml~", "b.yml"):
        (folder / name).write_text(policy("/bin/b"))
    assert [path.name for path in files_of([folder])] == ["b.yml", "p.yaml"]


def test_a_container_that_becomes_another_one_is_compiled_anew(folder: Path, loaded: Policies) -> None:
    (folder / "p.yaml").write_text(policy("/bin/a").replace('"*"', "box"))
    assert loaded.load()
    nameless = Container(7, "/box", "", "", "", "unidentified")
    assert allowed(loaded, "/bin/a", container=nameless) == []
    assert allowed(loaded, "/bin/a", container=BOX) == ["/bin/a"]


def test_what_is_compiled_is_kept_within_a_bound(loaded: Policies) -> None:
    for cgroup in range(COMPILED + 5):
        loaded.compiled(Container(cgroup, "/box", "id", "box", "", "runc"))
    assert len(loaded._compiled) == COMPILED


def test_containers_that_the_same_policies_select_share_their_tables(folder: Path, loaded: Policies) -> None:
    other = Container(8, "/other", "id2", "other", "", "runc")
    assert loaded.compiled(BOX) is loaded.compiled(other)
    (folder / "q.yaml").write_text(policy("/bin/b", "q").replace('"*"', "other"))
    assert loaded.load()
    assert loaded.compiled(BOX) is not loaded.compiled(other)
    assert allowed(loaded, "/bin/a", "/bin/b") == ["/bin/a"]
    assert allowed(loaded, "/bin/a", "/bin/b", container=other) == ["/bin/a", "/bin/b"]
