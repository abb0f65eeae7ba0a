"""The demo, small: all its parts, and a model that serves in the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundles import point, small_bundle
from cabstand.jobs import demo
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of

# MLflow says so of the model it wraps.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")]


def test_it_leaves_a_model_that_answers(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    told = demo.run(settings, demo.Params(trips=20_000, repeats=1))
    report = json.loads(next(Path(settings.lake_uri).glob("sweeps/*/sweep.json")).read_text())
    best = report["best"]
    assert (told["eps_m"], told["min_samples"]) == (best["eps_m"], best["min_samples"])
    assert told["suggested_eps_m"] == best["eps_m"]
    assert report["k_distance"]["k"] == best["min_samples"]
    assert "Synthetic data" in Path(told["site_page_uri"]).read_text()
    client = client_of(Settings(home=tmp_path, api_keys_required=False))
    answer = client.post(PREDICT, json=ROW).json()
    assert answer["version"] == told["champion"]
    assert answer["answer"]["low"] < answer["answer"]["duration_min"] < answer["answer"]["high"]
    assert client.post("/v1/hotspots/nearest", json={"lat": 40.7527, "lon": -73.9772}).status_code == 200
    assert len(client.get("/v1/hotspots").json()["features"]) == min(100, told["n_clusters"])


def test_what_serves_already_is_left_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    small_bundle(settings.artifacts_uri, version="mine")
    point(settings.artifacts_uri, champion="mine")
    before = sorted(tmp_path.rglob("*"))
    assert demo.ensure_champion(settings, 1, "") == "mine"
    assert sorted(tmp_path.rglob("*")) == before
