"""Settings: four places, all errors at once, every one documented."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.settings import Settings, SettingsError, load, names, variable_of

NO_FILE = Path("/etc/vedette/settings.yaml")


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def problems(file: Path | None, environment: dict[str, str] | None = None, **more: object) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(file, environment or {}, more)
    return str(raised.value).splitlines()


def test_later_places_win(tmp_path: Path) -> None:
    file = written(tmp_path, "log: {folder: /file, evidence_bytes: 99999999}\nmetrics: {port: 1}\nredact: false")
    settings = load(
        file, {"VEDETTE_LOG_FOLDER": "/environment", "VEDETTE_METRICS_PORT": "2"}, {"metrics.port": 3, "log.sync_s": None}
    )
    assert settings.log.folder == Path("/environment")
    assert settings.log.evidence_bytes == 99999999
    assert settings.metrics.port == 3
    assert not settings.redact
    assert settings.log.sync_s == 5.0


def test_all_errors_come_at_once_each_with_its_place_and_a_hint(tmp_path: Path) -> None:
    file = written(tmp_path, "log: {foldr: /x}\nmetrics: {port: 99999}\nwat: 1")
    found = problems(file, {"VEDETTE_METRCS_PORT": "1", "VEDETTE_SENSOR_SWEEP_INTERVAL_S": "soon"}, **{"findings.windows": 3})
    assert found[0] == "environment: unknown setting VEDETTE_METRCS_PORT: did you mean VEDETTE_METRICS_PORT?"
    assert f"{file}: unknown setting log.foldr: did you mean log.folder?" in found
    assert f"{file}: unknown setting wat" in found
    assert any(problem.startswith(f"{file}: metrics.port: ") and "(is 99999)" in problem for problem in found)
    assert any(problem.startswith("VEDETTE_SENSOR_SWEEP_INTERVAL_S: sensor.sweep_interval_s: ") for problem in found)
    assert any(problem.startswith("command line: findings.windows: ") for problem in found)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == [f"{tmp_path}/none.yaml: there is no such file"]


def test_what_a_setting_names_must_be_there_but_its_default_need_not(tmp_path: Path) -> None:
    file, none = written(tmp_path, f"policies: {{folder: {tmp_path}/none}}"), f"{tmp_path}/none"
    with pytest.raises(SettingsError) as raised:
        load(file, {}, present=("policies.folder",))
    said, hint = str(raised.value).splitlines()
    assert said == f"{file}: policies.folder: there is no such file or folder (is '{none}')"
    assert hint.startswith("hint: make it, or leave the setting out")
    assert load(file, {}).policies.folder == Path(none), "only for those who read it"


def test_an_error_says_its_line_once(tmp_path: Path) -> None:
    assert problems(written(tmp_path, "log:\n  folder: [")) == [
        f"{tmp_path}/settings.yaml:2:12: not YAML: expected the node content, but found '<stream end>'"
    ]


def test_a_list_s_wrong_entry_is_of_where_the_list_was_given() -> None:
    (said,) = problems(None, {}, **{"node.runtime_roots": ("foo",)})
    assert said.startswith("command line: node.runtime_roots.0: ")


@pytest.mark.parametrize(
    "text", ["- a\n- b", "a: [", "\x00", "12", "log: 7", "a: &a [*a]", "budgets: {open: [1]}", "? {a: 1}\n: 2"]
)
def test_a_file_of_another_shape_is_an_error_and_no_crash(tmp_path: Path, text: str) -> None:
    assert problems(written(tmp_path, text))


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, "# nothing\n"), {}) == Settings()


@given(st.binary(max_size=200))
def test_hostile_files_give_settings_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.yaml"
    path.write_bytes(content)
    with contextlib.suppress(SettingsError):
        load(path, {})


def test_part_of_an_allowance_keeps_the_defaults_of_the_rest() -> None:
    allowance = load(None, {"VEDETTE_BUDGETS_OPEN_RATE": "7"}).budgets.open
    assert (allowance.rate, allowance.flows) == (7, Settings().budgets.open.flows)


def test_lists_are_written_in_the_environment_as_yaml_has_them() -> None:
    roots = load(None, {"VEDETTE_NODE_RUNTIME_ROOTS": "['runc:/run/one', 'containerd:/run/two']"}).node.runtime_roots
    assert roots == ("runc:/run/one", "containerd:/run/two")


def test_other_variables_of_the_environment_are_none_of_our_business() -> None:
    load(None, {"PATH": "/bin", "VEDETTER": "x"})


def test_what_belongs_together_is_checked_together() -> None:
    assert "half of a log's budget" in problems(None, {"VEDETTE_LOG_FILE_BYTES": str(1 << 30)})[0]


def test_every_setting_has_a_sentence_and_its_own_variable() -> None:
    every = list(names())
    assert all((part.model_fields[name].description or "").endswith(".") for _, part, name in every)
    assert len({variable_of(dotted) for dotted, _, _ in every}) == len(every) > 50


def test_the_unit_of_a_number_is_in_its_name() -> None:
    counted = {"port", "connections", "containers", "windows", "programs", "flows", "rate", "burst"}
    for dotted, part, name in names():
        if part.model_fields[name].annotation in (int, float):
            assert name.endswith(("_bytes", "_s")) or name in counted, dotted
