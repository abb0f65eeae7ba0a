"""What a training leaves in MLflow: data sets, the candidate and a model that outlives its run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cabstand.errors import RegistryError
from cabstand.io import bundles, registry, tracking
from cabstand.jobs import models_inspect, models_list, train
from cabstand.report import model_pictures
from cabstand.settings import Settings
from mlflow_server import runs

# Learns y from x in CSV files.
PROBLEM = """
import numpy as np
from sklearn.linear_model import LinearRegression
from cabstand.modelling.problem import Candidate, Examples, Field, Problem, Target

def features(columns, assets):
    return np.asarray(columns["x"], np.float32)[:, None]

def load(paths, extras):
    x, y = np.concatenate([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths]).T
    return Examples({"x": x}, y)

PROBLEM = Problem(
    name="own-line", task="regression", description="A line.",
    fields=(Field("x", "number", "m", 0, 10, "Width.", example=1.0),),
    target=Target("y", "m", "Length."), feature_names=("x",), features=features, load=load,
    candidates=lambda: [Candidate("straight", lambda seed: LinearRegression())], metric="mae",
)
"""


def settings_in(home: Path) -> Settings:
    return Settings(home=home, mlflow_tracking_uri="")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, train.Params, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "line.py").write_text(PROBLEM)
    rng = np.random.default_rng(0)
    for name in ("a.csv", "b.csv", "later.csv"):
        x = rng.uniform(0, 10, 300)
        np.savetxt(folder / name, np.column_stack([x, 2 * x + rng.normal(0, 0.1, 300)]), delimiter=",")
    inputs, holdout = (str(folder / "a.csv"), str(folder / "b.csv")), (str(folder / "later.csv"),)
    params, settings = train.Params(str(folder / "line.py"), inputs, holdout), settings_in(folder / "home")
    return settings, params, train.run(settings, params)


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_all_inputs_and_the_holdout_are_data_sets(own: tuple[Settings, train.Params, dict[str, Any]]) -> None:
    settings, params, result = own
    run = tracking.client(settings).get_run(result["run_id"])
    frozen = bundles.read_manifest(settings.artifacts_uri, "own-line", result["model_version"]).training["holdout"]
    found = {
        one.dataset.name: (one.dataset.digest, {tag.key: tag.value for tag in one.tags})
        for one in run.inputs.dataset_inputs
    }
    hashes = [sha256(path) for path in (*params.input, *params.holdout)] + [frozen["sha256"]]
    names = ["training a.csv", "training b.csv", "holdout later.csv", f"holdout {frozen['sha256']}.npz"]
    assert found == {
        name: (full[:32], {"mlflow.data.context": name.split()[0], "sha256": full})
        for name, full in zip(names, hashes, strict=True)
    }
    assert run.data.tags["data.sha256"] == hashlib.sha256("".join(hashes[:2]).encode()).hexdigest()
    assert run.data.params["candidate"] == result["candidate"] == "straight"


def test_data_and_holdout_of_one_source_are_two_data_sets(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    result = train.run(settings, train.Params("iris"))
    run = tracking.client(settings).get_run(result["run_id"])
    uses = [tag.value for one in run.inputs.dataset_inputs for tag in one.tags if tag.key == "mlflow.data.context"]
    assert sorted(uses) == ["holdout", "training"]
    assert re.fullmatch("[0-9a-f]{64}", run.data.tags["data.sha256"])


@pytest.mark.slow
def test_a_registered_model_outlives_its_run(
    own: tuple[Settings, train.Params, dict[str, Any]], tmp_path: Path
) -> None:
    import mlflow.onnx

    _, params, _ = own
    copy = settings_in(tmp_path / "home")
    result = train.run(copy, params)
    store = tracking.client(copy)
    [output] = store.get_run(result["run_id"]).outputs.model_outputs
    model = store.get_logged_model(output.model_id)
    assert (model.status, model.params["candidate"]) == ("READY", "straight")
    assert {metric.key for metric in model.metrics} == set(result["metrics"])
    version = store.get_model_version("own-line", result["registry_version"])
    assert version.source == model.artifact_location

    store.delete_run(result["run_id"])
    collect(copy)
    assert mlflow.onnx.load_model(version.source)
    again = train.run(copy, params)
    assert (again["reused"], again["registry_version"]) == (True, "1")

    # Deleted itself, it leaves a version that MLflow calls READY. The next training registers the model again.
    store.delete_logged_model(model.model_id)
    collect(copy)
    assert store.get_model_version("own-line", "1").status == "READY"
    again = train.run(copy, params)
    assert (again["reused"], again["registry_version"]) == (True, "2")
    assert mlflow.onnx.load_model(store.get_model_version("own-line", "2").source)
    assert registry.usable_number(copy, "own-line", result["model_version"]) == "2"


def collect(settings: Settings) -> None:
    """Run `mlflow gc`, which removes for good what is deleted."""
    store = settings.tracking_uri
    subprocess.run(
        [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", store],
        env=os.environ | {"MLFLOW_TRACKING_URI": store},
        capture_output=True,
        check=True,
    )


def test_own_problems_are_listed_and_inspected_by_name(own: tuple[Settings, train.Params, dict[str, Any]]) -> None:
    settings, _, result = own
    listed = models_list.run(settings, models_list.Params())["problems"]
    assert [one["version"] for one in listed["own-line"]["versions"]] == [result["model_version"]]
    assert models_list.run(settings, models_list.Params("own-line"))["problems"] == listed
    shown = models_inspect.run(settings, models_inspect.Params("own-line", result["model_version"]))
    assert shown["candidate"] == "straight"


def test_a_problem_whose_champion_is_gone_is_listed_with_the_fault(
    own: tuple[Settings, train.Params, dict[str, Any]], tmp_path: Path
) -> None:
    from cabstand.io import pointer
    from cabstand.modelling.pointer import first

    settings = settings_in(tmp_path)
    pointer.write(settings.artifacts_uri, first("own-line", "m-gone"), None, None)
    [listed] = models_list.run(settings, models_list.Params(track=False))["problems"].values()
    assert "bundle is missing" in listed["fault"]


class Panic(BaseException):
    """As the renderer's, which is no Exception."""


@pytest.mark.parametrize("error", [Panic, ValueError, MemoryError])
def test_a_picture_that_fails_loses_nothing(
    own: tuple[Settings, train.Params, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(model_pictures, "importance", fail)
    settings = settings_in(tmp_path)
    result = train.run(settings, own[1])
    assert bundles.versions(settings.artifacts_uri, "own-line") == [result["model_version"]]
    store = tracking.client(settings)
    assert store.get_run(result["run_id"]).info.status == "FINISHED"
    assert [one.path for one in store.list_artifacts(result["run_id"], "pictures")] == ["pictures/calibration.png"]


def test_a_moved_home_says_what_to_do(own: tuple[Settings, train.Params, dict[str, Any]], tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with tracking.run(settings_in(old), "before", {}):
        pass
    old.rename(new)
    with pytest.raises(RegistryError, match="the home has moved") as caught, tracking.run(settings_in(new), "x", {}):
        pass
    assert not old.exists()
    command = re.search(r"`(ln -s .*?)`", str(caught.value))
    assert command
    subprocess.run(command[1].split(), check=True)
    with tracking.run(settings_in(new), "after", {}):
        pass


def test_a_copied_home_does_not_write_into_the_first(tmp_path: Path) -> None:
    with tracking.run(settings_in(tmp_path / "first"), "before", {}):
        pass
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    with (
        pytest.raises(RegistryError, match="the home has moved"),
        tracking.run(settings_in(tmp_path / "copy"), "x", {}),
    ):
        pass
    other = settings_in(tmp_path / "copy").model_copy(update={"mlflow_experiment": "another"})
    with tracking.run(other, "of the copy", {}):
        pass
    assert len(runs(other)) == 1


@pytest.mark.slow
def test_a_deleted_experiment_says_what_to_do(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with tracking.run(settings, "before", {}):
        pass
    tracking.client(settings).delete_experiment(tracking.experiment_id(settings))
    with pytest.raises(RegistryError, match="is deleted") as caught, tracking.run(settings, "x", {}):
        pass
    command = re.search(r"`(.*? experiments restore .*?)`", str(caught.value))
    assert command
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command[1], shell=True, env=os.environ | {"PATH": path}, capture_output=True, check=True)
    with tracking.run(settings, "after", {}):
        pass


@pytest.mark.slow
def test_trainings_of_one_input_at_once_all_succeed(
    own: tuple[Settings, train.Params, dict[str, Any]], tmp_path: Path, cabstand: Callable[..., Any]
) -> None:
    _, params, _ = own
    command = [sys.executable, "-m", "cabstand", "train", "--problem", params.problem]
    command += [word for path in params.input for word in ("--input", path)]
    env = os.environ | {"CABSTAND_HOME": str(tmp_path / "home")}
    started = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    done = [(one.communicate(timeout=300), one.returncode) for one in started]
    assert [code for _, code in done] == [0, 0, 0], done
    results = [json.loads(out) for (out, _), _ in done]
    assert sorted(one["reused"] for one in results) == [False, True, True]
    assert {one["registry_version"] for one in results} == {"1"}
    assert len({(one["model_version"], one["run_id"]) for one in results}) == 1
    assert {one.info.status for one in runs(settings_in(tmp_path / "home"))} == {"FINISHED"}
