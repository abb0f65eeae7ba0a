"""Real and synthetic data in one home: no run, lake, pointer, page or answer mixes the two or misnames one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bundles import holdout, point, small_bundle
from cabstand import cli
from cabstand.clustering.core_index import CoreIndex
from cabstand.io import bundles, pointer, registry, storage, tracking
from cabstand.jobs import cluster, compare, report, sweep, synth, train
from cabstand.modelling.bundle import HOTSPOTS, REFERENCE, Manifest
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan
from serving import PREDICT, ROW, client_of, service_of
from trip_files import write_parquet, zone_rows

Capsys = pytest.CaptureFixture[str]
MLFLOW = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # it says so of the model it wraps


@pytest.fixture
def home() -> Path:
    return load().home


@pytest.fixture
def run(capsys: Capsys) -> Any:
    def go(*words: str) -> dict[str, Any]:
        assert cli.run([*words]) == 0, capsys.readouterr().err
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    return go


@pytest.fixture
def refused(capsys: Capsys) -> Any:
    def go(*words: str) -> str:
        assert cli.run([*words]) == 2
        told = capsys.readouterr()
        [line] = [line for line in told.err.splitlines() if line.startswith("error: ")]
        assert told.out == ""
        return line

    return go


@pytest.fixture
def real(tmp_path: Path) -> str:
    """A raw file of real trips, which name zones."""
    return str(write_parquet(tmp_path / "green.parquet", zone_rows(200)))


@pytest.fixture
def pickups(tmp_path: Path) -> str:
    """A raw file of real pickups with coordinates."""
    rows = "".join(f"4/1/2014 {hour}:11:00,40.769,-73.9549,B02512\n" for hour in range(24) for _ in range(2))
    (tmp_path / "uber.csv").write_text(f'"Date/Time","Lat","Lon","Base"\n{rows}')
    return str(tmp_path / "uber.csv")


def uber(run: Any, source: str) -> str:
    return str(run("ingest", "--dataset", "uber", "--month", "2014-04", "--source", source)["trips_uri"])


def test_commands_keep_synthetic_trips_apart(home: Path, run: Any, pickups: str) -> None:
    made = run("synth", "--trips", "2000")["trips_uri"]
    first = run("cluster", "--input", made, "--no-track")
    real = run("cluster", "--input", uber(run, pickups), "--no-track")
    assert (first["synthetic"], real["synthetic"]) == (True, False)
    for path in home.rglob("*.parquet"):
        assert ("synthetic" in path.relative_to(home).parts) == (
            pq.read_schema(path).metadata.get(b"cabstand.synthetic") == b"true"
        ), path


@pytest.mark.parametrize("words", [("cluster",), ("compare",), ("sweep",), ("plan",), ("cluster", "--engine", "dask")])
def test_a_mixed_folder_is_refused(
    words: tuple[str, ...], tmp_path: Path, run: Any, refused: Any, pickups: str
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(run("synth", "--trips", "500")["trips_uri"], folder / "a.parquet")
    shutil.copy(uber(run, pickups), folder / "b.parquet")
    line = refused(*words, "--input", str(folder))
    assert f"{folder}/a.parquet: is synthetic, but {folder}/b.parquet is not" in line


def test_each_kind_is_refused_in_a_lake_of_the_other(home: Path, run: Any, refused: Any, pickups: str) -> None:
    real, made = uber(run, pickups), run("synth", "--trips", "500")
    there = str(home / "synthetic/lake")
    for job in ("cluster", "compare", "sweep"):
        assert f"CABSTAND_HOME={home}/synthetic" in refused(job, "--input", made["trips_uri"])
        assert "--lake" in refused(job, "--input", real, "--lake", there)
    for words in (("ingest", "--dataset", "uber", "--month", "2014-04", "--source", pickups), ("zones",)):
        assert "holds synthetic data" in refused(*words, "--lake", there)
    assert "another --lake" in refused("synth", "--trips", "500", "--lake", str(home / "lake"))


def test_synthetic_zones_under_real_trips_are_refused(home: Path, run: Any, refused: Any, real: str) -> None:
    """As an earlier release left the lake: made-up zones in it, and then real trips."""
    trips = run("ingest", "--dataset", "yellow", "--month", "2024-01", "--source", real)["trips_uri"]
    run("synth", "--trips", "500")
    shutil.copytree(home / "synthetic/lake/zones", home / "lake/zones")
    assert "holds synthetic data" in refused("cluster", "--input", trips)
    assert "holds synthetic data" in refused("train", "--problem", "trip-duration", "--input", trips)


@pytest.mark.parametrize("as_holdout", [False, True])
def test_training_on_both_is_refused(as_holdout: bool, home: Path, run: Any, refused: Any, real: str) -> None:
    months = (
        run("ingest", "--dataset", "yellow", "--month", "2024-01", "--source", real)["trips_uri"],
        run("synth", "--trips", "500", "--era", "zones")["trips_uri"],
    )
    second = "--holdout" if as_holdout else "--input"
    for first, other in (months, months[::-1]):
        words = ("train", "--problem", "trip-duration", "--input", first, second, other)
        assert f"{months[1]}: is synthetic, but {months[0]} is not" in refused(*words)
    assert not (home / "artifacts").exists()


def test_a_store_of_the_other_kind_is_refused(home: Path, run: Any, refused: Any, real: str) -> None:
    made = run("synth", "--trips", "500", "--era", "zones")["trips_uri"]
    trips = run("ingest", "--dataset", "yellow", "--month", "2024-01", "--source", real)["trips_uri"]
    stores = {"synthetic": str(home / "synthetic/artifacts"), "real": str(home / "artifacts")}
    small_bundle(stores["synthetic"], data={"synthetic": True})
    small_bundle(stores["real"])
    line = refused("train", "--problem", "trip-duration", "--input", trips, "--artifacts", stores["synthetic"])
    assert "holds trip-duration models of synthetic data, and this is real" in line
    line = refused("train", "--problem", "trip-duration", "--input", made, "--artifacts", str(home / "artifacts"))
    assert "synthetic" in line


def test_hotspots_of_the_other_kind_are_refused(run: Any, refused: Any, real: str, tmp_path: Path) -> None:
    trips = run("ingest", "--dataset", "yellow", "--month", "2024-01", "--source", real)["trips_uri"]
    made = run("synth", "--trips", "2000")["trips_uri"]
    # Anywhere, without the manifest that lay beside it.
    index = shutil.copy(
        cluster.run(load(home=tmp_path / "x"), cluster.Params(made, track=False))["index_uri"], tmp_path
    )
    line = refused("train", "--problem", "trip-duration", "--input", trips, "--hotspots", str(index))
    assert f"{index}: is synthetic" in line


def version(settings: Settings, name: str, *, made: bool, bias: float) -> Manifest:
    data = {"synthetic": True} if made else {}
    training = holdout(settings.artifacts_uri, "housing")
    return small_bundle(settings.artifacts_uri, "housing", name, bias=bias, training=training, data=data)


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("share", ["0", "0.5"])
def test_a_better_model_of_the_other_kind_is_not_promoted(made: bool, share: str, refused: Any) -> None:
    settings = load()
    version(settings, "old", made=not made, bias=10.5)
    version(settings, "new", made=made, bias=10.0)
    point(settings.artifacts_uri, "housing", "old")
    line = refused("promote", "--problem", "housing", "--version", "new", "--share", share, "--no-track")
    assert "data, the champion old on" in line
    assert pointer.read(settings.artifacts_uri, "housing")[0].champion == "old"
    point(settings.artifacts_uri, "housing", "old", previous="new")
    assert "data, the champion old on" in refused("rollback", "--problem", "housing", "--no-track")


def test_a_synthetic_model_is_not_the_first_champion_beside_real_data(run: Any, refused: Any, pickups: str) -> None:
    settings = load()
    uber(run, pickups)
    version(settings, "new", made=True, bias=10.0)
    assert "CABSTAND_HOME=" in refused("promote", "--problem", "housing", "--version", "new", "--no-track")


def test_a_bundle_from_before_the_mark_is_known_by_its_months() -> None:
    settings = load()
    for uri, made in (
        (".cabstand/demo-lake/trips/synth/2024-01.parquet", True),
        ("s3://lake/trips/synth-late/2024-01.parquet", True),
        (".cabstand/lake/trips/green/2024-01.parquet", False),
    ):
        found = small_bundle(settings.artifacts_uri, version=f"v{made}".lower(), data={"uris": [uri]})
        assert found.synthetic is made


def test_the_report_shows_one_kind(run: Any, refused: Any, pickups: str, tmp_path: Path) -> None:
    """As in a lake of results alone, in which an earlier release left both."""
    made, lake = run("synth", "--trips", "2000")["trips_uri"], tmp_path / "both"
    apart, here = load(home=tmp_path / "apart"), load(lake=str(lake))
    swept = sweep.run(apart, sweep.Params(made, eps_m=[50], min_samples=[10], sample=100, track=False))
    old = Path(swept["report_uri"]).parent
    done = cluster.run(here, cluster.Params(pickups, track=False))
    shutil.copytree(old, lake / "sweeps" / old.name)
    told = report.run(here, report.Params())
    assert told["parts"] == [done["run_key"]]
    assert "is synthetic" in refused("report", "--lake", str(lake), "--sweep", str(old))
    hotspots = str(Path(cluster.run(apart, cluster.Params(made, track=False))["manifest_uri"]).parent)
    assert "holds real data" in refused("report", "--lake", str(lake), "--hotspots", hotspots)


def marks_of(path: Path) -> bool:
    """Return whether a file of a result says that it is synthetic."""
    if path.suffix == ".npz":
        return "synthetic" in CoreIndex.load(path).marks
    if path.suffix == ".parquet":
        return pq.read_schema(path).metadata.get(b"cabstand.synthetic") == b"true"
    content = json.loads(path.read_text())
    return bool(content.get("source", {}).get("synthetic") if "kind" in content else content["synthetic"])


@pytest.mark.parametrize("made", [True, False])
def test_every_file_of_a_result_says_so(made: bool, tmp_path: Path, pickups: str) -> None:
    settings = load(home=tmp_path / "home", lake=str(tmp_path / "lake"))
    uri = synth.run(settings, synth.Params(Plan(trips=2_000)))["trips_uri"] if made else pickups
    results = [
        cluster.run(settings, cluster.Params(uri, track=False)),
        sweep.run(settings, sweep.Params(uri, eps_m=[50], min_samples=[10], sample=40, track=False)),
        compare.run(settings, compare.Params(uri, engines=["sequential"], sizes=[40], repeats=1, track=False)),
    ]
    assert [one["synthetic"] for one in results] == [made] * 3
    files = [
        path
        for path in Path(settings.lake_uri).glob("*s/*-*/*")
        if path.suffix in {".npz", ".parquet", ".json", ".geojson"}
    ]
    files = [path for path in files if path.parts[-3] in {"hotspots", "sweeps", "comparisons"}]
    assert len(files) == 10
    assert {path.name: marks_of(path) for path in files} == dict.fromkeys([path.name for path in files], made)
    # What is made of such a file is synthetic, too.
    cores = str(next(path for path in files if path.name == "cores.parquet"))
    assert cluster.run(settings, cluster.Params(cores, min_samples=2, track=False))["synthetic"] is made


@MLFLOW
@pytest.mark.slow
def test_a_model_says_what_it_was_trained_on(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    rides = synth.run(settings, synth.Params(Plan(trips=3_000, era="zones")))["trips_uri"]
    index = cluster.run(settings, cluster.Params(rides))["index_uri"]
    made = train.run(settings, train.Params("trip-duration", (rides,), hotspots=index))
    assert made["synthetic"] is True
    manifest = bundles.read_manifest(settings.artifacts_uri, "trip-duration", made["model_version"])
    assert manifest.synthetic
    files = bundles.read_files(settings.artifacts_uri, manifest, (REFERENCE, HOTSPOTS))
    (tmp_path / "reference.parquet").write_bytes(files[REFERENCE])
    assert marks_of(tmp_path / "reference.parquet")
    assert CoreIndex.load(files[HOTSPOTS]).marks == {"synthetic", "by_zone"}
    store = tracking.client(settings)
    [registered] = store.search_model_versions("name='trip-duration'")
    assert registered.tags["data.synthetic"] == store.get_run(made["run_id"]).data.tags["data.synthetic"] == "True"
    assert registry.aliases(settings, "trip-duration") == {}


@pytest.mark.parametrize("made", [True, False])
def test_the_service_says_what_it_answers_from(made: bool) -> None:
    settings = load(api_keys_required=False)
    index = storage.join(settings.artifacts_uri, "i.npz")
    Path(index).parent.mkdir(parents=True)
    CoreIndex.build([[40.75, -73.98]], [0], 50.0, marks=frozenset({"synthetic", "by_zone"} if made else ())).save(index)
    small_bundle(settings.artifacts_uri, extra={HOTSPOTS: storage.read(index)}, data={"synthetic": made})
    point(settings.artifacts_uri)
    client = client_of(settings)
    for path, row in ((PREDICT, ROW), ("/v1/hotspots/nearest", {"lat": 40.75, "lon": -73.98})):
        assert client.post(path, json=row).json()["synthetic"] is made
        assert client.post(f"{path}/batch", json={"rows": [row]}).json()["synthetic"] is made
    for answer in (client.get("/v1/hotspots").json(), client.post("/v1/hotspots/nearest", json=row).json()):
        assert (answer["synthetic"], answer["by_zone"]) == (made, made)
    champion = client.get("/v1/models").json()["models"][0]["champion"]
    assert (champion["synthetic"], champion["hotspots_by_zone"]) == (made, made)
    document = client.get("/openapi.json").json()
    assert ("Synthetic data" in document["info"]["description"]) is made
    for suffix in ("", "/batch"):
        operation = document["paths"][PREDICT + suffix]["post"]
        assert ("synthetic" in operation["summary"], operation.get("x-synthetic", False)) == (made, made)


SAID = ("(synthetic)", "Synthetic data", '"synthetic": true', '"synthetic":true')


def said(path: Path) -> bool:
    """Return whether a file says anywhere that it is synthetic."""
    if path.suffix in {".npz", ".parquet"}:
        return marks_of(path)
    return any(words in path.read_text() for words in SAID)


def served(home: Path) -> list[dict[str, Any]]:
    """Return every answer of a home's service."""
    client = client_of(Settings(home=home, api_keys_required=False))
    near = {"lat": 40.7527, "lon": -73.9772}
    answers = [
        client.post(PREDICT, json=ROW),
        client.post("/v1/hotspots/nearest", json=near),
        client.get("/v1/hotspots"),
    ]
    models = client.get("/v1/models").json()["models"]
    service_of(client).close()
    return [*(one.json() for one in answers), *(one["champion"] for one in models)]


@MLFLOW
@pytest.mark.slow
def test_the_demo_then_a_green_month_then_an_uber_month(home: Path, run: Any, shared: Path) -> None:
    data, made = shared / "data", home / "synthetic"
    assert run("demo", "--trips", "20000", "--repeats", "1")["home"] == str(made)
    months = {"green": ("2023-01", "green/green_tripdata_2023-01.parquet"),
              "uber": ("2014-04", "pickups/uber-raw-data-apr14.head65535.csv.gz")}  # fmt: skip
    run("zones", "--source", str(data / "zones"))
    pages = {}
    for dataset, (month, name) in months.items():
        trips = run("ingest", "--dataset", dataset, "--month", month, "--source", str(data / name))["trips_uri"]
        found = run("cluster", "--input", trips, "--min-samples", "100")
        assert (found["synthetic"], found["by_zone"]) == (False, dataset == "green")
        pages[dataset] = Path(run("report")["report_uri"]).read_text()
        if dataset == "green":
            run("train", "--problem", "trip-duration", "--input", trips, "--hotspots", found["index_uri"])
            assert run("promote", "--problem", "trip-duration")["decision"] == "promoted"
    assert ["Zones, not places" in page for page in pages.values()] == [True, False]
    assert "East Harlem" in pages["green"]
    kinds = {".json", ".geojson", ".html", ".parquet", ".npz"}
    files = [
        path for path in home.rglob("*") if path.suffix in kinds and not {"mlartifacts", "assets.npz"} & {*path.parts}
    ]
    real = [path for path in files if made not in path.parents]
    assert [path for path in real if path.parent.name != "holdouts" and said(path)] == []
    silent = {"pointer.json", "holdouts", "attempts", "proofs"}
    marked = [path for path in files if made in path.parents and not silent & {*path.parts}]
    assert [path for path in marked if not said(path)] == []
    assert [one["synthetic"] for one in served(made)] == [True] * 4
    before = [(one["version"], one["synthetic"]) for one in served(home)]
    assert before == [(before[0][0], False)] * 4
    assert run("demo", "--trips", "20000", "--repeats", "1")["champion"] != before[0][0]
    assert [(one["version"], one["synthetic"]) for one in served(home)] == before
