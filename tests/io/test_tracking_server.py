"""Runs on a real MLflow server, which then goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabstand.errors import RegistryError
from cabstand.io import bundles, pointer, tracking
from cabstand.jobs import models_inspect, promote, train
from cabstand.modelling import fit
from cabstand.modelling.pointer import state
from cabstand.settings import Settings

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "files")]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_runs_reach_the_server_and_its_end_is_one_line(
    server: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
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
    server: tuple[str, subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
