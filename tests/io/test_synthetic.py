"""What is synthetic, and which settings a run on it works with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.clustering import geofiles
from cabstand.clustering.core_index import CoreIndex
from cabstand.errors import ConfigError, DataError
from cabstand.io import storage, synthetic
from cabstand.settings import Settings

MARK = {"cabstand.synthetic": "true"}


def table(path: Path, *, made: bool) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = pa.table({"lat": [40.7], "lon": [-74.0]})
    pq.write_table(content.replace_schema_metadata(MARK if made else None), path)
    return str(path)


def lake(folder: Path, holding: str, *, made: bool) -> str:
    """Return a lake that holds one thing, which is synthetic or not."""
    if holding == "zones":
        table(folder / "zones/zones.parquet", made=made)
    elif holding == "trips":
        table(folder / f"trips/{'synth-late' if made else 'green'}/2024-01.parquet", made=made)
    else:
        manifest = folder / holding / "a-1" / synthetic.RESULTS[holding]
        manifest.parent.mkdir(parents=True)
        manifest.write_text(json.dumps({"source": {"synthetic": made}}))
    return str(folder)


@pytest.mark.parametrize("holding", ["zones", "trips", *synthetic.RESULTS])
@pytest.mark.parametrize("made", [True, False])
def test_a_lake_is_what_it_holds(holding: str, made: bool, tmp_path: Path) -> None:
    assert synthetic.of_lake(str(tmp_path)) is None
    assert synthetic.of_lake(lake(tmp_path / "lake", holding, made=made)) is made


def test_files_in_s3(bucket: str, tmp_path: Path) -> None:
    uris = []
    for made in (True, False):
        uris.append(f"s3://{bucket}/lake/zones/{made}.parquet")
        storage.write(uris[-1], Path(table(tmp_path / "t.parquet", made=made)).read_bytes())
    assert [synthetic.of_table(uri) for uri in uris] == [True, False]
    storage.write(f"s3://{bucket}/lake/zones/zones.parquet", storage.read(uris[0]))
    assert synthetic.of_lake(f"s3://{bucket}/lake") is True


def test_what_is_no_marked_table_is_real(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("lat,lon\n40.7,-74\n")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no footer")
    assert not any(synthetic.of_table(str(tmp_path / name)) for name in ("a.csv", "b.parquet", "absent"))


@pytest.mark.parametrize("made", [True, False])
def test_geojson_of_hotspots_says_so_before_its_features(made: bool, tmp_path: Path) -> None:
    collection = geofiles.feature_collection(
        pa.table({"id": [0], "lon": [-74.0], "lat": [40.7], "geometry": [b""], "bbox": [None]}),
        {"source": "x" * 500, "synthetic": made},
    )
    (tmp_path / "hotspots.geojson").write_text(json.dumps(collection))
    assert synthetic.of_table(str(tmp_path / "hotspots.geojson")) is made


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("marked", [True, False])  # an earlier release left the mark to the manifest
def test_an_index_of_hotspots(made: bool, marked: bool, tmp_path: Path) -> None:
    found = frozenset({"synthetic"}) if made and marked else frozenset()
    CoreIndex.build([[40.7, -74.0]], [0], 50.0, marks=found).save(tmp_path / "hotspots.npz")
    if not marked:
        (tmp_path / "manifest.json").write_text(json.dumps({"source": {"synthetic": made}}))
    assert synthetic.of_index(str(tmp_path / "hotspots.npz")) is made


def test_one_kind_in_one_run(tmp_path: Path) -> None:
    made, real = (table(tmp_path / f"{made}.parquet", made=made) for made in (True, False))
    assert synthetic.of_tables([made, made])
    assert not synthetic.of_tables([real])
    with pytest.raises(DataError, match=f"{made}: is synthetic, but {real} is not") as caught:
        synthetic.of_tables([real, made])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("made", [True, False])
def test_a_lake_of_the_other_kind_is_refused(made: bool, tmp_path: Path) -> None:
    named = Settings(home=tmp_path / "home", lake=lake(tmp_path / "lake", "trips", made=not made))
    default = Settings(home=tmp_path / "home")
    lake(Path(default.lake_uri), "trips", made=not made)
    for settings, hint in ((named, "--lake"), (default, "CABSTAND_HOME=" if made else "--lake")):
        with pytest.raises(ConfigError, match="but the lake") as caught:
            synthetic.settings_for(settings, made, "trips.parquet")
        assert hint in str(caught.value)
        assert "\n" not in str(caught.value)


CASES: list[tuple[dict[str, Any], str, str, str]] = [
    # settings, what holds what, lake and artifacts in force
    ({}, "", "home/synthetic/lake", "home/synthetic/artifacts"),
    ({}, "home/lake synthetic", "home/lake", "home/artifacts"),
    ({"lake": "new"}, "", "new", "home/artifacts"),
    ({"lake": "new"}, "home/lake real", "new", "home/synthetic/artifacts"),
    ({"lake": "new"}, "new/synthetic synthetic", "new/synthetic", "home/synthetic/artifacts"),
    ({"home": "home/synthetic"}, "", "home/synthetic/lake", "home/synthetic/artifacts"),
    ({"lake": "new", "artifacts": "models"}, "home/lake real", "new", "models"),
]


@pytest.mark.parametrize(("given", "holding", "where", "artifacts"), CASES)
def test_where_synthetic_results_go(
    given: dict[str, Any], holding: str, where: str, artifacts: str, tmp_path: Path
) -> None:
    settings = Settings(**{name: str(tmp_path / text) for name, text in ({"home": "home"} | given).items()})
    if holding:
        folder, kind = holding.split()
        lake(tmp_path / folder, "zones", made=kind == "synthetic")
    found = synthetic.settings_for(settings, True, "trips.parquet")
    assert (found.lake_uri, found.artifacts_uri) == (str(tmp_path / where), str(tmp_path / artifacts))
    assert (found.tracking_uri == settings.tracking_uri) == (found.home == settings.home)


def test_a_tracking_server_never_hears_of_what_is_apart(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, mlflow_tracking_uri="http://127.0.0.1:9")
    assert synthetic.apart(settings).tracking_uri == f"sqlite:///{tmp_path}/synthetic/mlflow.db"


def test_real_data_stays_where_it_is(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert synthetic.settings_for(settings, False, "trips.parquet") is settings
    lake(Path(settings.lake_uri), "trips", made=False)
    assert synthetic.settings_for(settings, False, "trips.parquet") is settings
