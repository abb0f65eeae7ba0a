from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cabstand import cli
from cabstand import settings as settings_module
from cabstand.errors import ConfigError
from cabstand.io import zones as lake_zones
from cabstand.jobs import synth, zones
from cabstand.trips.schema import TRIPS
from cabstand.trips.synthetic.generator import Plan


def run(plan: Plan, **params) -> dict:
    return synth.run(settings_module.load(), synth.Params(plan, **params))


@pytest.mark.parametrize("era", ["coordinates", "zones"])
def test_trips_truth_and_zones_stand_in_the_lake(era: str):
    result = run(Plan(5_000, seed=1, era=era, bad_share=0.05))
    trips = pq.read_table(result["trips_uri"])
    planted = json.loads(Path(result["planted_uri"]).read_text())
    assert trips.schema.equals(TRIPS)
    assert trips.schema.metadata[b"cabstand.synthetic"] == b"true"
    assert result["synthetic"] is planted["synthetic"] is True
    assert json.loads(Path(result["manifest_uri"]).read_text())["synthetic"] is True
    assert result["rows_in"] == 5_000 == result["rows_out"] + result["rows_quarantined"]
    assert result["quarantined_by_reason"] == {k: v for k, v in sorted(planted["bad_rows"].items()) if v}
    assert (
        pq.read_schema(lake_zones.table_uri(settings_module.load().lake_uri)).metadata[b"cabstand.synthetic"] == b"true"
    )


def test_several_side_by_side():
    names = [run(Plan(100, slowdown=s), dataset=f"synth-{s:.0f}")["trips_uri"] for s in (1.0, 2.0)]
    assert names[0] != names[1]


@pytest.mark.parametrize("era", ["coordinates", "zones"])
def test_real_zones_are_never_replaced(era: str, shared: Path):
    settings = settings_module.load()
    zones.run(settings, zones.Params(str(shared / "data/zones")))
    with pytest.raises(ConfigError, match="another --lake"):
        run(Plan(100, era=era))
    assert pq.read_table(lake_zones.table_uri(settings.lake_uri))["zone"][0].as_py() == "Newark Airport"
    assert not Path(settings.lake_uri, "trips").exists()


@pytest.mark.parametrize(
    ("plan", "where"),
    [
        (Plan(0), "--trips"),
        (Plan(10, seed=-1), "--seed"),
        (Plan(10, era="zone"), "--era"),
        (Plan(10, month="2024-00"), "--month"),
        (Plan(10, slowdown=float("nan")), "--slowdown"),
        (Plan(10, bad_share=0.9), "--bad-share"),
        (Plan(10, hotspot_shift_m=float("inf")), "--hotspot-shift-m"),
    ],
)
def test_numbers_out_of_range(plan: Plan, where: str):
    with pytest.raises(ConfigError, match=where):
        run(plan)


@pytest.mark.parametrize("name", ["yellow", "synth/..", "synth-", "Synth", ""])
def test_names_that_are_none(name: str):
    with pytest.raises(ConfigError, match="--name"):
        run(Plan(10), dataset=name)


def test_commands(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert cli.run(["synth", "--trips", "500", "--dry-run", "--lake", str(tmp_path / "lake")]) == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True
    assert not (tmp_path / "lake").exists()
    home = settings_module.load().home
    assert cli.run(["synth", "--trips", "500", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["trips_uri"].startswith(f"{home}/synthetic/lake/")
    assert cli.run(["zones", "--source", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("error: nowhere/taxi_zones.zip: no such file")
