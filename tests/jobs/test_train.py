"""The training job without a registry: what it publishes, that it is not done twice, and inputs that cannot be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cabstand.errors import CabstandError, ConfigError, DataError, StorageError
from cabstand.io import bundles, disk
from cabstand.jobs import models_inspect, models_predict, train
from cabstand.modelling import bundle
from cabstand.settings import Settings, load


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
