"""The evidence of a window: written once, whole or not at all, with and without Evidently, on a disk and in S3."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cabstand.io import evidently_report, storage, tracking
from cabstand.io.evidently_report import EvidentlyReport
from cabstand.jobs.monitoring import evidence
from cabstand.jobs.monitoring.evidence import Evidence
from cabstand.monitoring.findings import ColumnDrift, Drift, Estimate, Quality
from cabstand.monitoring.sample import Samples
from cabstand.report import monitor_page
from cabstand.settings import Settings, load
from monitor_examples import NONE, QUIET, RETRAIN, WINDOW

RNG = np.random.default_rng(0)
SAMPLES = Samples(*(pa.table({"hour": RNG.normal(shift, 1, 300), "empty": pa.nulls(300)}) for shift in (0, 1)), seed=7)
FILES = {"report.html", "evidently.html", "evidently.json", "window.json"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path / "home", site=str(tmp_path / "site"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidently's report without Evidently, for what does not depend on it."""
    made = EvidentlyReport(b"<p>theirs", b"{}\n", "0.7.23", 300, 300, 7, 1.0, {"empty": "no value"}, {})
    monkeypatch.setattr(evidently_report, "make", lambda samples, share: made)


def publish(settings: Settings, samples: Samples | None = SAMPLES, **more: Any) -> Evidence:
    return evidence.publish_evidence(settings, WINDOW, RETRAIN, samples, **{"track": False, **more})


def names(folder: str) -> set[str]:
    return {uri.rsplit("/", 1)[1] for uri in storage.list_under(folder)}


def test_a_window_has_its_pages_and_its_record(settings: Settings) -> None:
    pytest.importorskip("evidently")
    found = publish(settings)
    folder = f"{settings.lake_uri}/monitoring/ride-duration/{RETRAIN.key}"
    assert (found.report_uri, found.record_uri) == (f"{folder}/report.html", f"{folder}/window.json")
    assert names(folder) == FILES
    record = json.loads(storage.read(found.record_uri))
    assert record["decision"]["action"] == "retrain"
    assert (record["window"]["drift"]["share"], record["window"]["drift"]["drifted"]) == (4 / 7, True)
    assert record["evidently"]["left_out"]["empty"] == "no value in the reference"
    assert (record["evidently"]["seed"], record["evidently"]["sample_of_the_window"]) == (7, 300)
    assert record["evidently"]["cpu_s"] < 10
    page = storage.read(found.report_uri).decode()
    assert '<a href="evidently.html">' in page
    assert "<dt>sample of the window</dt><dd>300</dd>" in page


def test_the_same_window_again_is_found_done(settings: Settings, quick: None) -> None:
    first = publish(settings)
    written = storage.read(first.record_uri)
    assert publish(settings) == replace(first, reused=True)
    assert storage.read(first.record_uri) == written
    changed = replace(RETRAIN, reason="another")
    assert not evidence.publish_evidence(settings, WINDOW, changed, SAMPLES, track=False).reused
    assert not publish(settings, replace(SAMPLES, seed=8)).reused


@pytest.mark.parametrize("place", ["disk", "s3"])
def test_without_evidently_the_page_says_so(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    lake = str(tmp_path / "lake") if place == "disk" else f"s3://{request.getfixturevalue('bucket')}/lake"
    monkeypatch.setitem(sys.modules, "evidently", None)
    found = publish(load(lake=lake))
    assert (found.evidently_uri, found.site_uri) == (None, None)
    assert names(found.report_uri.rpartition("/")[0]) == {"report.html", "window.json"}
    assert "Evidently is not installed (pip install &#39;.[monitor]&#39;)" in storage.read(found.report_uri).decode()
    assert json.loads(storage.read(found.record_uri))["evidently"] is None


def test_without_samples_the_page_says_so(settings: Settings) -> None:
    assert "no sample was taken" in storage.read(publish(settings, None).report_uri).decode()


@pytest.mark.parametrize("step", ["render", "page on the site"])
def test_a_kill_leaves_no_half_evidence_and_the_rerun_finishes(
    step: str, settings: Settings, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((monitor_page, "render") if step == "render" else (storage, "write")), killed)
        with pytest.raises(KeyboardInterrupt):
            publish(settings)
    folder = f"{settings.lake_uri}/monitoring/ride-duration/{RETRAIN.key}"
    assert names(folder) == (set() if step == "render" else FILES)
    found = publish(settings)
    assert found.reused == (step != "render")
    assert found.site_uri is not None
    assert names(found.site_uri.rpartition("/")[0]) == {"report.html", "evidently.html"}
    assert storage.read(found.site_uri) == storage.read(found.report_uri)


def test_mlflow_keeps_flags_for_what_is_no_number(settings: Settings, quick: None) -> None:
    found = publish(settings, track=True)
    run = tracking.client(settings).get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["decision"] == "retrain"
    logged = run.data.metrics
    assert all(math.isfinite(value) for value in logged.values())
    assert {name: logged[name] for name in ("retrain", "watch", "drifted", "error_worse")} == {
        "retrain": 1, "watch": 0, "drifted": 1, "error_worse": 1,
    }  # fmt: skip
    assert (logged["breach/passengers"], logged["compared/passengers"], logged["breach/weekday"]) == (1, 0, 0)
    assert "distance/passengers" not in logged
    assert (logged["mae"], logged["mae_low"], logged["mae_then"]) == (3.96, 3.92, 3.25)
    artifacts = {one.path for one in tracking.client(settings).list_artifacts(found.run_id)}
    assert artifacts == FILES
    again = publish(settings, track=True)
    assert (again.reused, again.run_id) == (True, found.run_id)


def test_numbers_that_json_does_not_have_are_null(settings: Settings) -> None:
    nothing = Estimate(math.nan, -math.inf, math.inf)
    odd = ColumnDrift("a<b>?", "psi", math.inf, 0.1, drifted=True)
    window = replace(QUIET, drift=Drift(1, 1, (odd,), 0.5), quality=Quality(0, nothing, nothing))
    found = evidence.publish_evidence(settings, window, NONE, None)
    record = json.loads(storage.read(found.record_uri))["window"]
    assert record["quality"]["mae"] == {"value": None, "low": None, "high": None}
    assert record["drift"]["columns"][0]["distance"] is None
    logged = tracking.client(settings).get_run(found.run_id).data.metrics
    assert logged["breach/a_b__"] == 1
    assert not {"mae", "distance/a_b__"} & set(logged)
