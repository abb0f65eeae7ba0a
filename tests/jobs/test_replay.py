"""The replay job on a small city that slows down: it asks, it retrains, it recommends, it writes on request alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.errors import ConfigError, StorageError
from cabstand.io import lake
from cabstand.jobs import replay
from cabstand.jobs.replay import Params
from cabstand.jobs.replaying import parts
from cabstand.settings import Settings, load

MONTHS = ("2023-01", "2023-02", "2023-03", "2023-04")
SLOW_FROM = np.datetime64("2023-03-08")
PARAMS = Params(MONTHS, track=False, train_months=1, holdout_months=0)


def write_month(uri: str, month: str, n: int = 2_400) -> None:
    """Write rides between eight zones, whose minutes are their distance; half as long again from `SLOW_FROM` on."""
    rng = np.random.default_rng(int(month[-2:]))
    first = np.datetime64(month, "s")
    length = (np.datetime64(month, "M") + 1).astype("M8[s]") - first
    pickup_at = np.sort(first + (rng.random(n) * length.astype(int)).astype("m8[s]"))
    pickup_at[0] = np.datetime64("2008-12-31T23:00:00")  # a stray, as about half of all months have
    pickup, dropoff = rng.integers(1, 9, size=(2, n))
    minutes = (5 + 2.0 * abs(pickup - dropoff) + rng.gamma(4, 0.5, n)) * np.where(pickup_at >= SLOW_FROM, 1.5, 1.0)
    table = {
        "pickup_at": pickup_at.astype("M8[us]"),
        "dropoff_at": pickup_at.astype("M8[us]") + (minutes * 60e6).astype("m8[us]"),
        "pickup_zone": pickup.astype(np.int32),
        "dropoff_zone": dropoff.astype(np.int32),
    }
    Path(uri).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), uri)


# Of two windows in a row, and wide enough for few rows.
RULES: dict[str, Any] = {
    "monitor_breaches": 2,
    "monitor_error_rise": 0.15,
    "monitor_bias": 0.25,
    "monitor_coverage_loss": 0.03,
}


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, Any]]:
    settings = load(home=tmp_path_factory.mktemp("home"), monitor_min_rows=200, **RULES)
    for month in MONTHS:
        write_month(lake.Month(settings.lake_uri, "green", month).trips_uri, month)
    return settings, replay.run(settings, PARAMS)


def test_a_city_that_slows_down_asks_for_retraining_which_pays(replayed: tuple[Settings, dict[str, Any]]) -> None:
    _, result = replayed
    assert result["retraining_asked_for"][0] == "2023-03 days 15 to 21"
    first = result["retrainings"][0]
    assert first["judged_on"][0] == "2023-03 days 22 on"
    assert first["saved_per_row"] > first["saved_per_row_low"] > 1
    assert result["default"]["saved_per_retraining"] > 0
    assert result["recommended"]["saved_per_retraining"] >= result["default"]["saved_per_retraining"]


def test_the_report_has_each_window_with_its_estimate(replayed: tuple[Settings, dict[str, Any]]) -> None:
    _, result = replayed
    report = json.loads(Path(result["report_uri"]).read_text())
    assert [row["window"] for row in report["windows"]] == [one.name for one in parts.parts(MONTHS, 4)[4:]]
    assert sum(row["rows"] for row in report["windows"]) == 3 * 2_399  # without the strays
    for row in report["windows"][:5]:  # before it slows down
        assert row["action"] == "none"
        assert row["estimated_mae_low"] <= row["mae"] <= row["estimated_mae_high"]
    last = report["windows"][-1]
    assert last["estimated_mae"] < last["mae"] / 2  # it cannot see that rides take longer
    assert last["model_mae"] < last["mae"] / 2
    firing = {(row["setting"], row["value"]): row for row in report["firings"]}
    assert firing["monitor_bias", 0.25]["2023-02"] == 0
    assert firing["monitor_bias", 0.25]["2023-04"] == 4
    for picture in result["pictures"]:
        assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_the_same_replay_is_not_computed_twice(replayed: tuple[Settings, dict[str, Any]]) -> None:
    settings, result = replayed
    again = replay.run(settings, replace(PARAMS, months=(*reversed(MONTHS), "2023-01")))
    assert again == json.loads(json.dumps(result)) | {"reused": True}
    other = replay.run(settings.model_copy(update={"monitor_bias": 0.3}), replace(PARAMS, dry_run=True))
    assert other["run_key"] != result["run_key"]


def test_limits_are_written_on_request_alone(
    replayed: tuple[Settings, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, result = replayed
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cabstand.toml").write_text("# ours\nmonitor_share = 0.5\n")
    replay.run(settings, PARAMS)
    replay.run(settings, replace(PARAMS, write=True, dry_run=True))
    assert (tmp_path / "cabstand.toml").read_text() == "# ours\nmonitor_share = 0.5\n"
    written = replay.run(settings, replace(PARAMS, write=True))["written"]
    text = (tmp_path / "cabstand.toml").read_text()
    assert text.startswith("# ours\nmonitor_share = 0.5\n")
    in_force = load(home=settings.home, **{name: value for name, value in RULES.items() if name not in written})
    for name, value in result["recommended"].items():
        if name.startswith("monitor_"):
            assert getattr(in_force, name) == value
            assert (name in written) == (name in text)


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"months": ("2023-01",)}, ConfigError, "leave none to replay"),
        ({"windows": 3}, ConfigError, "1, 2 or 4"),
        ({"train_months": 3, "holdout_months": 1}, ConfigError, "leave none to replay"),
        ({"months": ("2023-01", "2023-02", "2020-01")}, StorageError, "no such file"),
        ({"problem": "iris"}, ConfigError, "only classes"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    replayed: tuple[Settings, dict[str, Any]], changed: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        replay.run(replayed[0], replace(PARAMS, **changed))


def test_windows_are_in_new_york_time_and_tile_the_month() -> None:
    march = parts.parts(["2025-03"], 4)
    assert [one.span[1] for one in march[:-1]] == [one.span[0] for one in march[1:]]
    assert march[0].span[0].isoformat() == "2025-03-01T05:00:00+00:00"
    assert march[-1].span[1].isoformat() == "2025-04-01T04:00:00+00:00"  # summer time began on the 9th
    days = np.arange("2025-03-01", "2025-04-02", dtype="M8[D]").astype("M8[s]")
    for count, lengths in ((4, [7, 7, 7, 10]), (2, [14, 17]), (1, [31])):
        number = parts.numbers(days, ["2025-03"], count)
        assert np.bincount(number[:-1]).tolist() == lengths
        assert [round(one.days) for one in parts.parts(["2025-03"], count)] == lengths
        assert number[-1] == -1
