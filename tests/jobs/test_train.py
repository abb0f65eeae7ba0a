"""The training job without a registry: what it publishes, that it is not done twice, and inputs that cannot be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from cabstand.errors import CabstandError, ConfigError, DataError, StorageError
from cabstand.io import bundles, disk
from cabstand.jobs import models_inspect, models_predict, synth, train
from cabstand.modelling import bundle
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load(home=tmp_path_factory.mktemp("home"))
    result = train.run(settings, train.Params("iris", track=False))
    assert result["reused"] is False
    assert result["metrics"]["accuracy"] > 0.85
    return settings


def test_a_bundle_is_whole_and_not_made_twice(trained: Settings) -> None:
    again = train.run(trained, train.Params("iris", track=False))
    assert again["reused"] is True
    [version] = bundles.versions(trained.artifacts_uri, "iris")
    manifest = bundles.read_manifest(trained.artifacts_uri, "iris", version)
    assert set(manifest.files) == {bundle.MODEL, bundle.REFERENCE}
    assert manifest.metrics["parity"] <= manifest.tolerance
    bundles.read_files(trained.artifacts_uri, manifest, manifest.files)
    folder = Path(bundles.base(trained.artifacts_uri, "iris", version))
    assert pq.read_table(folder / bundle.REFERENCE).num_rows == manifest.training["rows"]
    with pytest.raises(CabstandError, match="never changes"):
        bundles.write(trained.artifacts_uri, manifest, {})


def test_inspect_tells_fields_size_and_lineage(trained: Settings) -> None:
    [version] = bundles.versions(trained.artifacts_uri, "iris")
    told = models_inspect.run(trained, models_inspect.Params("iris", version[:4]))
    assert told["fields"][0]["name"] == "sepal_length_cm"
    assert told["size_bytes"]["model.onnx"] > 0
    assert told["lineage"]["libraries"]["scikit-learn"]
    assert set(told["importance"]) == set(told["features"])
    assert told["total_bytes"] == sum(told["size_bytes"].values())
    assert told["signature"]["model"] == {"features": ["float32", "n", 4]}
    assert told["signature"]["request"].keys() == {field["name"] for field in told["fields"]}
    assert told["signature"]["answer"].keys() == set(told["outputs"])
    assert told["coefficients"].keys() in ({"intercept", "coefficients"}, set())
    assert told["reference_figures"]["iris"]["forest accuracy"] == 0.973
    row = {field["name"]: field["example"] for field in told["fields"]}
    [answer] = models_predict.run(trained, models_predict.Params("iris", [row], version))["answers"]
    assert answer["label"] == "setosa"


def test_a_damaged_bundle_is_not_taken_for_done(trained: Settings, tmp_path: Path) -> None:
    settings = load(home=shutil.copytree(trained.home, tmp_path / "copy"))
    [version] = bundles.versions(settings.artifacts_uri, "iris")
    place = Path(bundles.base(settings.artifacts_uri, "iris", version))
    os.truncate(place / bundle.MODEL, 100)
    with pytest.raises(DataError, match=r"damaged: .*remove that folder") as caught:
        train.run(settings, train.Params("iris", track=False))
    assert str(place) in str(caught.value)
    shutil.rmtree(place)
    assert train.run(settings, train.Params("iris", track=False))["model_version"] == version


@pytest.mark.parametrize(
    ("params", "what"),
    [
        (train.Params("iris", ("x.csv",)), "no such file"),
        (train.Params("housing"), "one CSV file"),
        (train.Params("nothing"), "no problem named"),
        (train.Params("trip-duration"), "no input"),
    ],
)
def test_what_cannot_be_trained_is_one_line(params: train.Params, what: str) -> None:
    with pytest.raises(CabstandError, match=what) as caught:
        train.run(load(), params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("binary", "what"), [(False, "not a CSV file, "), (True, "not a CSV file, but a Parquet file")]
)
def test_a_file_of_another_kind_is_named_and_not_printed(binary: bool, what: str, tmp_path: Path) -> None:
    path = tmp_path / "houses"
    if binary:
        pq.write_table(pa.table({"a": [1.5] * 200, "b": [2.5] * 200}), path)
    else:
        path.write_bytes(b"a,b\n1,2,\xff\x00\x1b[31m\n")
    with pytest.raises(DataError, match=what) as caught:
        train.run(load(), train.Params("housing", (str(path),), track=False))
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("(housing learns from one CSV file, plain or gzip)")


def test_a_full_disk_leaves_no_half_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, os.strerror(28))

    settings = load(home=tmp_path / "home")
    monkeypatch.setattr(disk, "sync", full)
    with pytest.raises(StorageError, match="no space"):
        train.run(settings, train.Params("iris", track=False))
    assert bundles.versions(settings.artifacts_uri, "iris") == []


def test_a_holdout_that_is_learned_from_too_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("the same rows")
    with pytest.raises(ConfigError, match="--holdout: holds a file"):
        train.run(load(), train.Params("housing", (str(tmp_path / "a.csv"),), (str(tmp_path / "b.csv"),), track=False))


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two following synthetic months."""
    settings = load(home=tmp_path_factory.mktemp("months"))
    plans = [Plan(trips=2_000, era="zones", month=month) for month in ("2024-01", "2024-02")]
    return [Path(synth.run(settings, synth.Params(plan))["trips_uri"]) for plan in plans]


@pytest.mark.parametrize("first", [0, 700, 1_500], ids=["beginning", "middle", "end"])
def test_a_slice_of_the_training_month_is_no_holdout(first: int, months: list[Path], tmp_path: Path) -> None:
    table = pq.read_table(months[0]).sort_by("pickup_at")
    pq.write_table(table.slice(first, 400), tmp_path / "slice.parquet")
    params = train.Params("trip-duration", (str(months[0]),), (str(tmp_path / "slice.parquet"),), track=False)
    with pytest.raises(ConfigError, match=r"--holdout: begins at 2024-01.* the training data ends at 2024-01-31"):
        train.run(load(), params)


@pytest.mark.parametrize("learned", [[1], [0, 1]], ids=["earlier", "one of two months"])
def test_an_earlier_month_is_no_holdout(learned: list[int], months: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.parquet"  # another file with the same rows
    pq.write_table(pq.read_table(months[0]), copy, compression="none")
    inputs = tuple(str(months[number]) for number in learned)
    with pytest.raises(ConfigError, match="hold out data that is later"):
        train.run(load(), train.Params("trip-duration", inputs, (str(copy),), track=False))
    assert bundles.versions(load().artifacts_uri, "trip-duration") == []


def test_rows_without_a_time_are_held_out_by_content(shared: Path, tmp_path: Path) -> None:
    table = pv.read_csv(shared / "data" / "housing" / "housing.csv.gz")
    learned, held_out = str(tmp_path / "learned.csv"), str(tmp_path / "held_out.csv")
    pv.write_csv(table.slice(0, 2_000), learned)
    pv.write_csv(table.slice(1_900, 400), held_out)
    with pytest.raises(ConfigError, match="--holdout: 100 of 400 rows are equal to training rows"):
        train.run(load(), train.Params("housing", (learned,), (held_out,), track=False))
    pv.write_csv(table.slice(2_000, 400), held_out)
    assert train.run(load(), train.Params("housing", (learned,), (held_out,), track=False))["model_version"]
