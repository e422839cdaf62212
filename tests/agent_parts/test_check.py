"""`vedette check`: exit codes, JSON, files that are none, paths in an image or a container at hand."""

import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.__main__ import app
from agent.status import FILE
from agent.texts import FILE_BYTES
from agent.verbs.places import PlaceError, Running, container, in_container
from model.policy import parse
from model.problem import Code
from tests.model.test_lint import document

GOOD = document("exec: {allow: [/usr/bin/dash]}")
DOUBTFUL = document("read: {allow: [/**]}")
BAD = document("exce: {allow: []}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "doubtful": DOUBTFUL, "bad": BAD, "link": document("exec: {allow: [/bin/sh]}")}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "image/usr/bin").mkdir(parents=True)
    (tmp_path / "image/bin").symlink_to("usr/bin")
    (tmp_path / "image/usr/bin/sh").symlink_to("/usr/bin/dash")
    (tmp_path / "image/usr/bin/dash").touch()
    return tmp_path


def check(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, words)])


@pytest.mark.parametrize(
    ("files", "strict", "code"),
    [(["good"], True, 0), (["doubtful"], False, 0), (["doubtful"], True, 1), (["bad"], False, 1), (["good", "bad"], False, 1)],
)
def test_the_exit_code_says_whether_the_policies_can_be_used(folder: Path, files: list[str], strict: bool, code: int) -> None:
    told = check(*(folder / f"{name}.yaml" for name in files), *(["--strict"] if strict else []))
    assert told.exit_code == code, told.output


def test_json_has_every_problem_of_every_file_in_order_with_all_its_fields(folder: Path) -> None:
    told = check(folder / "doubtful.yaml", folder / "bad.yaml", folder / "link.yaml", "--json")
    assert told.exit_code == 1
    problems = json.loads(told.stdout)
    fields = {"file", "line", "column", "severity", "code", "message", "hint"}
    assert all(set(one) == fields for one in problems)
    assert [(Path(one["file"]).name, one["line"], one["column"], one["severity"], one["code"]) for one in problems] == [
        ("doubtful.yaml", 6, 18, "warning", Code.EVERYTHING),
        ("bad.yaml", 6, 3, "error", Code.UNKNOWN),
        ("link.yaml", 3, 18, "warning", Code.SAME_NAME),
    ]


@pytest.mark.parametrize(
    ("content", "place", "message", "code"),
    [
        (b"a: b\nc: \xff\n", "2:4", "byte 0xff is not valid UTF-8", Code.SYNTAX),
        ("a: é\n".encode("utf-16"), "1:1", "byte 0xff is not valid UTF-8", Code.SYNTAX),
        (b"a: \0", "1:4", "a character that YAML does not allow", Code.SYNTAX),
        (b"#" * (FILE_BYTES + 1), "1:1", "larger than 1,048,576 bytes", Code.TOO_LARGE),
    ],
)
def test_bytes_that_are_no_policy_are_told_with_place_cause_and_hint(
    tmp_path: Path, content: bytes, place: str, message: str, code: Code
) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    (problem,) = json.loads(check(tmp_path, "--json").stdout)
    assert f"{problem['line']}:{problem['column']}" == place
    assert message in problem["message"]
    assert problem["hint"]
    assert problem["code"] == code


def test_a_fifo_or_device_that_is_named_like_a_policy_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    (tmp_path / "y.yaml").symlink_to("/dev/zero")
    began = time.monotonic()
    problems = json.loads(check(tmp_path, "--json").stdout)
    assert [one["message"] for one in problems] == ["can't be read: it is no plain file"] * 2
    assert time.monotonic() - began < 1


def test_no_more_of_a_file_is_read_than_a_policy_may_have(tmp_path: Path) -> None:
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a file with a hole: reading it whole would end this process
    assert json.loads(check(tmp_path, "--json").stdout)[0]["code"] == Code.TOO_LARGE


def test_a_path_that_is_a_link_in_an_image_is_told_with_what_the_kernel_will_report(folder: Path) -> None:
    told = check(folder / "link.yaml", "--image", folder / "image")
    assert told.exit_code == 0
    assert f'warning: "/bin/sh" is "/usr/bin/dash" in {folder}/image' in told.stdout
    assert 'hint: write "/usr/bin/dash"' in told.stdout
    assert check(folder / "good.yaml", "--image", folder / "image", "--strict").exit_code == 0


def test_an_image_or_container_that_is_not_there_is_a_wrong_call(folder: Path) -> None:
    for words in (["--image", str(folder / "none")], ["--container", "none", "--log", str(folder)]):
        told = check(folder / "good.yaml", *words)
        assert (told.exit_code, told.stdout) == (2, "")
        assert "hint: " in told.stderr


CONTAINERS = [
    {"id": "f00d1", "name": "web", "image": "nginx", "cgroup": "/a"},
    {"id": "f00d2", "name": "db", "image": "", "cgroup": "/b"},
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_text(json.dumps({"pid": os.getpid(), "containers": CONTAINERS}))
    return tmp_path


@pytest.mark.parametrize(("name", "id_"), [("web", "f00d1"), ("f00d2", "f00d2")])
def test_a_container_is_found_by_its_name_or_the_begin_of_its_id(log: Path, name: str, id_: str) -> None:
    assert container(log, name).id == id_


@pytest.mark.parametrize(
    ("name", "message"), [("f00d", "several containers are"), ("we", "no container is"), ("", "no container")]
)
def test_a_name_that_fits_none_or_several_is_refused(log: Path, name: str, message: str) -> None:
    with pytest.raises(PlaceError, match=message):
        container(log, name)


@pytest.mark.parametrize(
    ("select", "selected"),
    [("{containers: {names: [web]}}", True), ("{images: [nginx]}", True), ("{images: [redis]}", False)],
)
@pytest.mark.parametrize("namespace", ["", ", namespace: shop"])
def test_a_policy_is_for_a_container_whatever_its_namespace(select: str, selected: bool, namespace: str) -> None:
    text = document("exec: {allow: []}", select=select).replace("{name: p}", f"{{name: p{namespace}}}")
    assert Running("web", "1", "nginx:1.27", "/a").is_selected_by(parse(text, "p.yaml")[0]) is selected


def test_a_container_that_no_policy_selects_is_a_wrong_call(folder: Path, log: Path) -> None:
    (folder / "redis.yaml").write_text(document("exec: {allow: []}", select="{images: [redis]}"))
    told = check(folder / "redis.yaml", "--container", "web", "--log", log)
    assert (told.exit_code, told.stderr) == (2, "vedette: no policy here selects web\nhint: its image is nginx\n")


def test_a_test_file_that_is_named_is_checked_for_its_form(folder: Path) -> None:
    (folder / "good.test.yaml").write_text("cases: [{exec: /a, expect: alowed}]")
    told = check(folder / "good.yaml", folder / "good.test.yaml")
    assert told.exit_code == 1
    assert "good.test.yaml:1:28: " in told.stdout


def test_a_container_without_a_process_is_told() -> None:
    with pytest.raises(PlaceError, match="no process"):
        in_container(Running("gone", "1", "", "/no/such/cgroup"), ["/bin/sh"])
