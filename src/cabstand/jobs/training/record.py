"""Log a training to its MLflow run: metrics, tables, pictures and the model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabstand.io import registry
from cabstand.io.tracking import Run
from cabstand.jobs.training.contents import Training
from cabstand.modelling import bundle, measures
from cabstand.report import model_pictures


def log(run: Run, training: Training, manifest: bundle.Manifest, files: Mapping[str, bytes]) -> None:
    """Log a training; nothing happens if the run is not tracked."""
    if run.id is None:
        return
    problem, holdout, answer = training.problem, training.holdout, training.answer
    errors = measures.by_segment(measures.losses(problem.metric, holdout.target, answer), holdout.segments)
    run.metrics(manifest.metrics)
    run.table("candidates.json", training.trained.table)
    run.table("errors.json", errors)
    run.table("importance.json", manifest.training["importance"])
    run.table("request_example.json", problem.example())
    run.table("manifest.json", json.loads(manifest.to_bytes()))
    with tempfile.TemporaryDirectory(prefix="cabstand-") as scratch:
        folder = Path(scratch)
        for name, picture in _pictures(training, manifest, errors).items():
            (folder / name).write_bytes(picture)
            run.artifact(folder / name, "pictures")
        example = {name: values[:5] for name, values in answer.items()}
        registry.save_onnx(folder / "model", files[bundle.MODEL], training.matrix[:5], example)
        for path in sorted((folder / "model").rglob("*")):
            if path.is_file():
                run.artifact(path, path.parent.relative_to(folder).as_posix())


def _pictures(training: Training, manifest: bundle.Manifest, errors: list[dict[str, Any]]) -> dict[str, bytes]:
    problem, holdout = training.problem, training.holdout
    found = {"importance.png": model_pictures.importance(manifest.training["importance"])}
    if problem.task == "regression":
        bins = measures.calibration(holdout.target, training.answer["point"])
        found["calibration.png"] = model_pictures.calibration(bins, problem.target.unit)
    for segment in holdout.segments:
        picture = model_pictures.errors(errors, segment, problem.metric, problem.target.unit)
        found[f"errors_by_{segment}.png"] = picture
    return found
