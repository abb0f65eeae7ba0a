"""Each setting is documented, and the strongest source wins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cabstand import settings
from cabstand.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for name, field in settings.Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert f"`{settings.environment_names(name)[0]}`" in page, f"{name} is not in docs/settings.md (make docs)"


def test_the_strongest_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cabstand.toml").write_text('lake = "file-lake"\nartifacts = "file-artifacts"\n')
    monkeypatch.setenv("CABSTAND_LAKE", "env-lake")
    found = settings.load(log_level="DEBUG")
    assert (found.lake_uri, found.artifacts_uri, found.log_level) == ("env-lake", "file-artifacts", "DEBUG")
    source = {row.name: row.source for row in settings.explain(found)}
    assert source["lake"] == "environment CABSTAND_LAKE"
    assert source["artifacts"] == "file cabstand.toml"
    assert source["mlflow_experiment"] == "default"


def test_mlflow_own_name_is_honoured_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hidden@127.0.0.1:5000")
    found = settings.load()
    assert found.tracking_uri == "http://user:hidden@127.0.0.1:5000"
    assert "hidden" not in str(settings.explain(found))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CABSTAND_LAEK", "did you mean CABSTAND_LAKE?"),
        ("CABSTAND_GATE_CONFIDENC", "did you mean CABSTAND_GATE_CONFIDENCE?"),
        ("cabstand_api_refresh", "did you mean CABSTAND_API_REFRESH_S?"),
        ("CABSTAND_ZZZ", "see `cabstand config show`"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_closest(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("cabstand_log_level", "debug")  # pydantic reads names in either case
    assert settings.unknown_variables() == []
    monkeypatch.setenv(name, "x")
    assert settings.unknown_variables() == [f"{name} is not a setting and has no effect ({hint})"]


def test_every_variable_that_the_repository_sets_or_reads_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [ROOT / "Makefile", ROOT / ".ci" / "run"]
    for folder in ("infra", "containers", "scripts", ".github", "lambdas"):
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file() and ".terraform" not in file.parts]
    text = "".join(file.read_text(errors="replace") for file in files)
    named = {name for name in re.findall(r"\bCABSTAND_[A-Z_]+", text) if not name.endswith("_")}
    assert {"CABSTAND_LAKE", "CABSTAND_METRICS_NAMESPACE", "CABSTAND_ECS_CLUSTER"} <= named
    for name in named:
        monkeypatch.setenv(name, "x")
    assert settings.unknown_variables() == []


@pytest.mark.parametrize("text", ["lakee = 'x'", "lake = [", "log_level = 'loud'"])
def test_a_wrong_file_is_one_line(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cabstand.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lakee = 'x'", "lakee in cabstand.toml: not a setting (did you mean lake?)"),
        ("zzz = 1", "zzz in cabstand.toml: not a setting (see `cabstand config show`)"),
        ("log_level = 'loud'", "input should be 'debug', 'info', 'warning' or 'error'"),
        ("log_level = 3", "input should be 'debug', 'info', 'warning' or 'error'"),
        ("prediction_log = 'loud'", "input should be 'auto', 'local', 'stdout' or 'off'"),
    ],
)
def test_a_slip_in_the_file_names_what_is_meant(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cabstand.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert told in str(caught.value)


@pytest.mark.parametrize("level", ["debug", "DEBUG", "Debug"])
def test_a_level_may_be_written_in_any_case(level: str) -> None:
    assert settings.load(log_level=level).log_level == "DEBUG"


@pytest.mark.parametrize(("variable", "value"), [("CABSTAND_GATE_MIN_GAIN", "7"), ("CABSTAND_DOWNLOAD_ATTEMPTS", "no")])
def test_an_invalid_value_names_its_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=variable):
        settings.load()


def test_a_file_that_is_named_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CABSTAND_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match=r"CABSTAND_CONFIG=.*absent\.toml: no such file"):
        settings.load()
