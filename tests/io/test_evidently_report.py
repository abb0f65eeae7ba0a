"""Evidently's report: offline, guarded, repeatable, and without what would run in its page."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.io import evidently_report
from cabstand.io.evidently_report import EvidentlyReport
from cabstand.monitoring.sample import Samples

pytest.importorskip("evidently")
N = 400
MARKED = "<i>cash</i>"


def rows(seed: int, shift: float = 0.0, **more: Any) -> pa.Table:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(3, 5, N)
    distance = rng.gamma(2, 1 + shift, N)
    distance[0] = np.inf
    return pa.table(
        {
            "distance": distance, "zone": rng.integers(1, 9, N), "kind": rng.choice(["a", MARKED], N),
            "duration": truth, "prediction": truth + rng.normal(shift, 2, N),
            "empty": pa.nulls(N), "fixed": np.ones(N), **more,
        }
    )  # fmt: skip


def samples(**changes: Any) -> Samples:
    given = {"reference": rows(0, gone=np.arange(N)), "current": rows(1, 1.0), "categorical": frozenset({"zone"})}
    return Samples(**{**given, "target": "duration", "prediction": "prediction", **changes})


@pytest.fixture(scope="module")
def made() -> EvidentlyReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", None)  # it asks nobody
        return evidently_report.make(samples(), 0.5)


def metrics(report: EvidentlyReport) -> dict[str, Any]:
    return {one["metric_name"].partition("(")[2]: one["value"] for one in json.loads(report.figures)["metrics"]}


def test_what_it_does_not_show_is_named(made: EvidentlyReport) -> None:
    assert made.left_out == {
        "gone": "missing in the current rows",
        "empty": "no value in the reference",
        "fixed": "constant in the reference and in the current rows",
    }
    assert made.notes == {"distance": "2 infinite values taken out"}
    assert (made.n_reference, made.n_current) == (N, N)


def test_figures_are_drift_by_named_methods_and_regression_quality(made: EvidentlyReport) -> None:
    found = metrics(made)
    drift = {name.partition(",")[0]: (name, value) for name, value in found.items() if name.startswith("column=")}
    assert set(drift) == {
        f"column={name}" for name in ("distance", "zone", "kind", "duration", "prediction")
    }  # fmt: skip
    assert "jensenshannon" in drift["column=zone"][0]
    assert drift["column=distance"][1] > 0.3 > drift["column=zone"][1]
    assert any("MeanError" in one["metric_name"] for one in json.loads(made.figures)["metrics"])


def test_its_page_can_fetch_nothing_and_holds_no_markup_from_the_data(made: EvidentlyReport) -> None:
    page = made.page.decode()
    assert page.startswith("<!DOCTYPE html>")
    assert page.index("default-src 'none'") < page.index("<style>")
    assert "i>cash" in page
    assert "<i>cash" not in page


def test_the_same_samples_give_the_same_figures(made: EvidentlyReport) -> None:
    assert evidently_report.make(samples(), 0.5).figures == made.figures


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target": ""}, "the truth or the prediction is not known"),
        ({"target": "gone"}, "gone cannot be compared"),
        ({"target": "kind"}, "truth or prediction is not a number"),
    ],
)
def test_without_truth_there_is_drift_alone(changes: dict[str, Any], reason: str) -> None:
    report = evidently_report.make(samples(**changes), 0.5)
    assert report.left_out["regression quality"] == reason
    assert "MeanError" not in report.figures.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current": rows(1)[:1]}, "current rows: 1 rows are too few for Evidently's report"),
        ({"current": pa.table({"other": [1, 2]})}, "no column can be compared"),
    ],
)  # fmt: skip
def test_too_little_to_compare_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        evidently_report.make(samples(**changes), 0.5)


def test_missing_evidently_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evidently", None)
    with pytest.raises(ConfigError) as caught:
        evidently_report.make(samples(), 0.5)
    assert str(caught.value) == "its report: Evidently is not installed (pip install '.[monitor]')"


def test_a_failure_of_evidently_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("of theirs\nin two lines")

    monkeypatch.setattr("evidently.Report.run", fail)
    with pytest.raises(TaskError) as caught:
        evidently_report.make(samples(), 0.5)
    assert str(caught.value) == "Evidently's report: failed: ZeroDivisionError: of theirs in two lines"
