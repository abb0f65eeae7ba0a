"""Predict from a version's bundle on this machine, without a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand.io import bundles
from cabstand.modelling import catalog
from cabstand.modelling.fields import columns_of
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to predict; `version` is a version or the beginning of it, by default the champion."""

    problem: str
    rows: Sequence[Mapping[str, Any]]
    version: str = ""


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return a version's answers to rows, as the service would give them."""
    problem = catalog.find(params.problem)
    manifest = bundles.select(settings.artifacts_uri, problem.name, params.version)
    predictor = bundles.predictor(settings.artifacts_uri, problem, manifest)
    answer = predictor.predict(columns_of(manifest.fields, params.rows))
    answers: list[dict[str, Any]]
    if "label" in answer:
        answers = [
            {"label": problem.target.classes[int(label)], "probability": [float(one) for one in probability]}
            for label, probability in zip(answer["label"], answer["probability"], strict=True)
        ]
    else:
        answers = [{name: float(answer[name][row]) for name in answer} for row in range(len(params.rows))]
    told = {"problem": problem.name, "version": manifest.version, "synthetic": manifest.synthetic}
    return told | {"unit": problem.target.unit, "answers": answers}
