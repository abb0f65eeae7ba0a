"""Runs on a real MLflow server, which then goes away."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import RegistryError
from cabstand.io import bundles, pointer, tracking
from cabstand.jobs import models_inspect, promote, train
from cabstand.modelling import fit
from cabstand.modelling.pointer import state
from cabstand.settings import Settings
from mlflow_server import Server, runs, serving, together

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as started:
        yield started


def test_runs_reach_the_server_and_its_end_is_one_line(server: Server, tmp_path: Path) -> None:
    uri, process = server
    settings = Settings(home=tmp_path / "home", mlflow_tracking_uri=uri)  # type: ignore[arg-type]
    note = tmp_path / "note.txt"
    note.write_text("kept")
    with tracking.run(settings, "outer", {"eps_m": 50.0}, source=tracking.Source("here", "ab" * 32)) as outer:
        outer.metrics({"wall_s": 1.5})
        outer.artifact(note)
    store = tracking.client(settings)
    assert store.get_run(outer.id).data.metrics == {"wall_s": 1.5}
    assert [item.path for item in store.list_artifacts(outer.id)] == ["note.txt"]
    assert not (tmp_path / "home" / "mlflow.db").exists()
    with pytest.raises(RegistryError, match="does not answer"), tracking.run(settings, "cut off", {}) as opened:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        opened.metrics({"wall_s": 1.0})


def test_a_server_that_goes_away_in_a_training_or_a_promotion_leaves_the_champion(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, process = server
    settings = Settings(home=tmp_path / "home", mlflow_tracking_uri=uri)  # type: ignore[arg-type]
    first = train.run(settings, train.Params("iris", track=False))["model_version"]
    assert promote.run(settings, promote.Params("iris"))["aliases"] == "in step"
    real = fit.train

    def dying(*args: object) -> fit.Trained:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fit, "train", dying)
    with pytest.raises(RegistryError, match="does not answer") as caught:
        train.run(settings, train.Params("iris", seed=1))
    assert "\n" not in str(caught.value)
    with pytest.raises(RegistryError, match="does not answer"):
        promote.run(settings, promote.Params("iris"))
    assert bundles.versions(settings.artifacts_uri, "iris") == [first]
    current, _ = pointer.read(settings.artifacts_uri, "iris")
    assert state(current)["champion"] == first
    assert models_inspect.run(settings, models_inspect.Params("iris"))["version"] == first


def test_a_command_prints_its_result_and_nothing_else(server: Server, cabstand: Callable[..., Any]) -> None:
    uri, _ = server
    # Even if the user asks MLflow for the addresses that it would print.
    env = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "false"}
    trained = cabstand("train", "--problem", "iris", **env)
    assert (trained.returncode, len(trained.stdout.splitlines())) == (0, 1), trained.stdout + trained.stderr
    result = json.loads(trained.stdout)
    again = json.loads(cabstand("train", "--problem", "iris", **env).stdout)
    assert again == result | {"reused": True}
    [version] = tracking.client(Settings(mlflow_tracking_uri=uri)).search_model_versions("name='iris'")  # type: ignore[arg-type]
    assert (version.version, version.status) == (int(result["registry_version"]), "READY")


def test_runs_that_begin_together_log_one_data_set(server: Server, tmp_path: Path) -> None:
    uri, _ = server
    settings = Settings(home=tmp_path / "home", mlflow_tracking_uri=uri)  # type: ignore[arg-type]
    together(settings, rounds=6)
    assert {one.info.status for one in runs(settings)} == {"FINISHED"}
