"""The file of settings: a changed one keeps its other lines and comments, and is written whole or not at all."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.errors import ConfigError
from cabstand.io import config_file

TEXT = """# Ours.
lake = "s3://lake"  # the common one
monitor_bias = 0.25 # to be earned

# Afterwards.
log_level = 'DEBUG'
"""


def test_other_lines_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "cabstand.toml"
    path.write_text(TEXT)
    path.chmod(0o600)
    config_file.update(path, {"monitor_bias": 0.1, "monitor_coverage_loss": 0.02})
    expected = TEXT.replace("0.25", "0.1") + "monitor_coverage_loss = 0.02\n"
    assert path.read_text() == expected
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["cabstand.toml"]


def test_a_file_is_made_and_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "real.toml", tmp_path / "cabstand.toml"
    link.symlink_to(path)
    config_file.update(link, {"monitor_bias": 0.1})
    assert link.is_symlink()
    assert path.read_text() == "monitor_bias = 0.1\n"


def test_a_key_goes_before_tables(tmp_path: Path) -> None:
    path = tmp_path / "cabstand.toml"
    path.write_text("[other]\nkey = 1\n")
    config_file.update(path, {"monitor_bias": 0.1})
    assert tomllib.loads(path.read_text()) == {"other": {"key": 1}, "monitor_bias": 0.1}


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cabstand.toml"
    path.write_text("monitor_bias = = 1")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config_file.update(path, {"monitor_bias": 0.1})
    assert path.read_text() == "monitor_bias = = 1"


@given(st.dictionaries(st.sampled_from(["a", "b", "lake", "log_level"]), st.floats(allow_nan=False), max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, float]) -> None:
    path = tmp_path_factory.mktemp("settings") / "cabstand.toml"
    path.write_text(TEXT)
    config_file.update(path, values)
    assert tomllib.loads(path.read_text()) == tomllib.loads(TEXT) | values
