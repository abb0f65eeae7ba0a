"""The version that the monitor judges: its reference rows, its predictions, and how well it did on its holdout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.io import bundles
from cabstand.modelling import catalog
from cabstand.modelling.bundle import REFERENCE, Manifest
from cabstand.modelling.predictor import Predictor
from cabstand.modelling.problem import Columns, Examples, Problem
from cabstand.monitoring import late_truth, quality
from cabstand.monitoring.findings import Quality
from cabstand.monitoring.late_truth import Answers, ErrorModel
from cabstand.settings import Settings

TARGET, PREDICTION, LOW, HIGH, TIME = "target", "prediction", "low", "high", "time"
LABEL = "label"  # the truth of logged predictions, which not every row has


@dataclass(frozen=True)
class Judged:
    """A version and what the monitor needs of it."""

    problem: Problem
    manifest: Manifest
    predictor: Predictor
    reference: pa.Table
    holdout: Examples

    @property
    def n_training(self) -> int:
        """Rows that the reference is a sample of."""
        return int(self.manifest.training.get("rows", self.reference.num_rows))

    @property
    def compared(self) -> tuple[str, ...]:
        """Columns that are compared, where the rows have them: fields, truth, prediction, and a time of its own."""
        timed = any(one.kind == "timestamp" for one in self.manifest.fields)
        return (*(one.name for one in self.manifest.fields), TARGET, PREDICTION, *(() if timed else (TIME,)))

    def answers(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """Return predictions, and the ends of their intervals if there are any, as columns of rows."""
        found = self.predictor.predict(columns)
        if "label" in found:
            return {PREDICTION: np.asarray(self.problem.target.classes)[found["label"]]}
        return {PREDICTION: found["point"], **{name: found[name] for name in (LOW, HIGH) if name in found}}

    def on_holdout(self) -> tuple[Quality | None, ErrorModel | None]:
        """Return the quality on the holdout, and the model of its errors; neither for classes."""
        if self.problem.task == "classification":
            return None, None
        rows, found = self.holdout, self.answers(self.holdout.columns)
        answers = Answers(found[PREDICTION], found.get(LOW), found.get(HIGH))
        then = quality.assess(answers.predicted, rows.target, answers.low, answers.high, rows.time)
        enough = len(rows) >= late_truth.MIN_ROWS
        return then, late_truth.fit(answers, rows.target, rows.time) if enough else None


def load(settings: Settings, name: str, version: str) -> Judged:
    """Return a version of a problem, by default the champion."""
    problem = catalog.find(name)
    artifacts = settings.artifacts_uri
    manifest = bundles.select(artifacts, problem.name, version)
    files = bundles.read_files(artifacts, manifest, [REFERENCE])
    return Judged(
        problem,
        manifest,
        bundles.predictor(artifacts, problem, manifest, settings.api_bundle_memory_mib),
        pq.read_table(pa.BufferReader(files[REFERENCE])),
        bundles.read_holdout(artifacts, problem.name, manifest.training["holdout"]["sha256"]),
    )
