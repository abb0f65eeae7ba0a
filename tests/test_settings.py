"""Each setting is documented, and the strongest source wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabstand import settings
from cabstand.errors import ConfigError


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "settings.md").read_text()
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


@pytest.mark.parametrize("text", ["lakee = 'x'", "lake = [", "log_level = 'loud'"])
def test_a_wrong_file_is_one_line(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cabstand.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert "\n" not in str(caught.value)
