"""Record a training in MLflow: its metrics and tables, its model and pictures of its errors."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

import numpy as np

from cabstand.io import bundles, disk, registry
from cabstand.io.tracking import Run
from cabstand.jobs.training.contents import Training
from cabstand.modelling import bundle, measures
from cabstand.modelling.predictor import open_session
from cabstand.modelling.problem import FeatureMatrix
from cabstand.report import model_pictures
from cabstand.settings import Settings

_log = logging.getLogger(__name__)


def log(run: Run, training: Training, manifest: bundle.Manifest) -> None:
    """Log the figures of a training; nothing happens if the run is not tracked."""
    if run.id is None:
        return
    run.params({"candidate": manifest.candidate})
    run.metrics(manifest.metrics)
    run.table("candidates.json", training.trained.table)
    run.table("errors.json", training.errors)
    run.table("importance.json", manifest.training["importance"])
    run.table("request_example.json", training.problem.example())
    run.table("manifest.json", json.loads(manifest.to_bytes()))


def register(settings: Settings, manifest: bundle.Manifest, example: FeatureMatrix | None = None) -> str:
    """Return the number of a published bundle in MLflow's registry; its model is logged if it is not there, or gone.

    `example` are rows of features to show with the model.
    """
    problem, version, outputs = manifest.problem, manifest.version, list(manifest.outputs)
    with disk.locked(settings.home / ".registry.lock"):  # of two trainings at once, one registers
        if (number := registry.usable_number(settings, problem, version)) is not None:
            return number
        model = bundles.read_files(settings.artifacts_uri, manifest, [bundle.MODEL])[bundle.MODEL]
        if example is None:
            example = np.zeros((1, manifest.n_features), np.float32)
        session = open_session(model, f"{problem} {version}", manifest.n_features, manifest.outputs)
        answers = dict(zip(outputs, session.run(outputs, {"features": example}), strict=True))
        facts = {"candidate": manifest.candidate, "bundle": version, "data.synthetic": str(manifest.synthetic)}
        run_id = manifest.run_id
        logged = registry.log_onnx(settings, run_id, problem, model, example, answers, manifest.metrics, facts)
        tags = {"data.synthetic": manifest.synthetic}
        return registry.register(settings, problem, version, run_id, logged, tags)


def draw(run: Run, training: Training, manifest: bundle.Manifest) -> None:
    """Log pictures; one that fails is left out with a warning, since the training has succeeded."""
    if run.id is None:
        return
    names = ["importance", *(f"errors_by_{segment}" for segment in training.holdout.segments)]
    if training.problem.task == "regression":
        names.append("calibration")
    with tempfile.TemporaryDirectory(prefix="cabstand-") as scratch:
        for name in names:
            try:
                path = Path(scratch) / f"{name}.png"
                path.write_bytes(_picture(name, training, manifest))
                run.artifact(path, "pictures")
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic of the renderer is no Exception
                _log.warning("the picture %s is left out: %s: %s", path.name, type(error).__name__, error)


def _picture(name: str, training: Training, manifest: bundle.Manifest) -> bytes:
    problem, holdout = training.problem, training.holdout
    if name == "importance":
        return model_pictures.importance(manifest.training["importance"])
    if name == "calibration":
        bins = measures.calibration(holdout.target, training.answer["point"])
        return model_pictures.calibration(bins, problem.target.unit)
    segment = name.removeprefix("errors_by_")
    return model_pictures.errors(training.errors, segment, problem.metric, problem.target.unit)
