"""Pictures of a trained model and of a replay: each shows what it was given, and says in which unit."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import pytest

from cabstand.report import model_pictures, replay_pictures

ROWS = [{"segment": "borough", "value": name, "n": 1_200, "loss": 3.5} for name in ("Bronx", "Queens")]
ROWS += [{"segment": "hour", "value": f"{hour:02d}", "n": 50, "loss": 2.0} for hour in range(24)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is handed to the renderer, which still renders it."""
    import vl_convert

    specs: list[dict[str, Any]] = []
    real = vl_convert.vegalite_to_png

    def render(spec: str, **more: Any) -> bytes:
        specs.append(json.loads(spec))
        alt.Chart.from_dict(specs[-1])  # checks it against Vega-Lite's schema
        return bytes(real(spec, **more))

    monkeypatch.setattr(vl_convert, "vegalite_to_png", render)
    return specs


def test_few_bars_say_the_rows_behind_them(drawn: list[dict[str, Any]]) -> None:
    assert model_pictures.errors(ROWS, "borough", "mae", "min").startswith(b"\x89PNG")
    assert model_pictures.errors(ROWS, "hour", "rmse", "min").startswith(b"\x89PNG")
    borough, hour = drawn
    assert [row["value"] for row in borough["data"]["values"]] == ["Bronx (1,200)", "Queens (1,200)"]
    assert borough["encoding"]["y"]["title"] == "mean loss (mae, min)"
    assert [row["value"] for row in hour["data"]["values"]] == [f"{number:02d}" for number in range(24)]
    assert hour["encoding"]["y"]["title"] == "mean loss (mean squared error)"


def test_calibration_and_importance(drawn: list[dict[str, Any]]) -> None:
    bins = [{"predicted": 5.0, "actual": 6.0, "n": 3}, {"predicted": 9.0, "actual": 8.0, "n": 3}]
    assert model_pictures.calibration(bins, "min").startswith(b"\x89PNG")
    assert model_pictures.importance({"hour": 0.5, "month": 0.0}).startswith(b"\x89PNG")
    diagonal, points = drawn[0]["layer"]
    assert diagonal["data"]["values"] == [{"x": 0, "y": 0}, {"x": 9.0, "y": 9.0}]
    assert points["data"]["values"] == bins
    assert points["encoding"]["x"]["title"] == "predicted (min)"
    assert [row["feature"] for row in drawn[1]["data"]["values"]] == ["hour", "month"]


def test_course_and_choice_of_a_replay(drawn: list[dict[str, Any]]) -> None:
    windows = [{"window": f"2025-0{n} days 1-7", "mae": 3.0, "model_mae": 2.5, "action": "retrain"} for n in (1, 2)]
    trial = {"retrainings": 2, "saved_per_row": 0.1}
    assert replay_pictures.course(windows, "min").startswith(b"\x89PNG")
    assert replay_pictures.choice([trial, trial], trial, trial, "min").startswith(b"\x89PNG")
    assert [layer["mark"]["type"] for layer in drawn[0]["layer"]] == ["line", "point"]
    assert len(drawn[1]["data"]["values"]) == 4
