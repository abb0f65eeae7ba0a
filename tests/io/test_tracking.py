"""Runs in a real MLflow store: what is logged is found again, and a server that is down says so at once."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from cabstand.errors import RegistryError
from cabstand.io import provenance, tracking
from cabstand.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri="")  # type: ignore[arg-type]


def test_run_logs_everything(settings: Settings, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("kept")
    source = tracking.Source("s3://lake/trips.parquet", "ab" * 32)
    with tracking.run(settings, "outer", {"eps_m": 50.0}, source=source) as outer:
        outer.metrics({"wall_s": 1.5, "not_a_number": float("nan")})
        outer.artifact(note)
        outer.table("table.json", {"rows": 3})
        with tracking.run(settings, "inner", {}, parent=outer) as inner:
            pass
    store = tracking.client(settings)
    found = store.get_run(outer.id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"eps_m": "50.0"}
    assert found.data.metrics == {"wall_s": 1.5}
    assert found.data.tags["data.sha256"] == "ab" * 32
    assert found.data.tags["code.version"] == provenance.code_version()
    assert found.inputs.dataset_inputs[0].dataset.digest == "ab" * 16
    assert sorted(item.path for item in store.list_artifacts(outer.id)) == ["note.txt", "table.json"]
    assert (settings.home / "mlartifacts" / outer.id / "artifacts" / "note.txt").read_text() == "kept"
    assert store.get_run(inner.id).data.tags["mlflow.parentRunId"] == outer.id


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_broken_run_says_how_it_ended(settings: Settings, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), tracking.run(settings, "broken", {}) as opened:
        raise error
    assert tracking.client(settings).get_run(opened.id).info.status == status


def test_untracked_run_touches_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "none")
    with tracking.run(settings, "quiet", {"a": 1}, source=tracking.Source("x", "y"), enabled=False) as opened:
        opened.metrics({"a": 1})
        opened.tags({"a": 1})
        opened.artifact(tmp_path / "absent")
    assert opened.id is None
    assert not (tmp_path / "none").exists()


def test_a_server_that_is_down_is_one_line_and_soon(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        uri = f"http://someone:hunter2@127.0.0.1:{taken.getsockname()[1]}"  # pragma: allowlist secret
        settings = Settings(home=tmp_path, mlflow_tracking_uri=uri)  # type: ignore[arg-type]
        began = time.monotonic()
        with pytest.raises(RegistryError) as caught, tracking.run(settings, "lost", {}):
            pass
    line = str(caught.value)
    assert "does not answer" in line
    assert "hunter2" not in line
    assert "\n" not in line
    assert time.monotonic() - began < 60


def test_run_key_depends_on_input_parameters_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    key = provenance.run_key("cluster", {"a": "1"}, {"eps_m": 50.0})
    assert key == provenance.run_key("cluster", {"a": "1"}, {"eps_m": 50.0})
    assert key.startswith("cluster-")
    monkeypatch.setattr(provenance, "code_version", lambda: "other")
    others = {
        provenance.run_key("cluster", {"a": "2"}, {"eps_m": 50.0}),
        provenance.run_key("cluster", {"a": "1"}, {"eps_m": 60.0}),
        provenance.run_key("cluster", {"a": "1"}, {"eps_m": 50.0}),
    }
    assert len(others | {key}) == 4
