"""Evidently's own report of drift and regression quality, on samples; the only module that imports Evidently.

Evidently 0.7 fails whole on a column without a value, and lets infinity through, so it gets only columns that it can
compare. Names and categories may be a stranger's, so it gets no `<`, either.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.monitoring.comparable import Pair, Sifted, sift
from cabstand.monitoring.sample import Samples

# The page needs nothing from elsewhere, and with this it can fetch nothing.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
NUMBERS, CATEGORIES = "wasserstein", "jensenshannon"  # named, as Evidently otherwise changes methods with the rows
INSTALL = "pip install '.[monitor]'"


@dataclass(frozen=True)
class EvidentlyReport:
    """Evidently's page and figures, and what they were made from.

    Attributes
    ----------
    page, figures : bytes
        HTML that needs no network, and JSON.
    left_out : dict
        Columns, and "regression quality", that the report does not have, with the reason.
    notes : dict
        What was changed in columns that it has.
    cpu_s : float
        CPU seconds of this process, Evidently's import included.
    """

    page: bytes
    figures: bytes
    version: str
    n_reference: int
    n_current: int
    seed: int
    cpu_s: float
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def make(samples: Samples, share: float) -> EvidentlyReport:
    """Return Evidently's report of two samples; `share` of drifted columns is drift.

    Raises
    ------
    ConfigError
        If Evidently is not installed.
    DataError
        If no column can be compared, or a sample has fewer than two rows.
    TaskError
        If Evidently fails.
    """
    began = time.process_time()
    for side, rows in (("reference", samples.reference), ("current", samples.current)):
        if rows.num_rows < 2:
            raise DataError(f"{rows.num_rows} rows are too few for Evidently's report", where=f"{side} rows")
    sifted = sift(samples)
    if not sifted.columns:
        raise DataError("no column can be compared", where="Evidently's report")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # its own, of libraries that are newer than it
        version, page, figures = _run(samples, sifted, share)
    return EvidentlyReport(
        page=page.encode(),
        figures=(json.dumps(_without_nan(figures), indent=1, allow_nan=False) + "\n").encode(),
        version=version,
        n_reference=samples.reference.num_rows,
        n_current=samples.current.num_rows,
        seed=samples.seed,
        cpu_s=time.process_time() - began,
        left_out=sifted.left_out,
        notes=sifted.notes,
    )


def _run(samples: Samples, sifted: Sifted, share: float) -> tuple[str, str, Any]:
    """Return Evidently's version, page and figures; says in `sifted` if there is no regression quality."""
    try:
        import evidently
        from evidently.presets import DataDriftPreset, RegressionPreset
    except ImportError as error:
        raise ConfigError("Evidently is not installed", where="its report", hint=INSTALL) from error
    metrics = [DataDriftPreset(drift_share=share, num_method=NUMBERS, cat_method=CATEGORIES)]
    names: dict[str, list[str]] = {kind: [] for kind in ("number", "category")}
    for name, pair in sifted.columns.items():
        names[pair.kind].append(_safe(name))
    regression = None
    if _has_regression(samples, sifted):
        metrics.append(RegressionPreset())
        regression = [evidently.Regression(target=_safe(samples.target), prediction=_safe(samples.prediction))]
    try:
        definition = evidently.DataDefinition(
            numerical_columns=names["number"], categorical_columns=names["category"], regression=regression
        )
        sides = [
            evidently.Dataset.from_pandas(_frame(sifted.columns, side), data_definition=definition)
            for side in ("current", "reference")
        ]
        made = evidently.Report(metrics).run(*sides)
        page = made.get_html_str(as_iframe=False)
        return evidently.__version__, _closed(page), json.loads(made.json())
    except Exception as error:
        raise TaskError(f"failed: {type(error).__name__}: {error}", where="Evidently's report") from error


def _has_regression(samples: Samples, sifted: Sifted) -> bool:
    if not samples.target or not samples.prediction:
        sifted.left_out["regression quality"] = "the truth or the prediction is not known"
        return False
    lacking = [name for name in (samples.target, samples.prediction) if name not in sifted.columns]
    pairs = [sifted.columns[name] for name in (samples.target, samples.prediction) if name in sifted.columns]
    if lacking or any(pair.kind != "number" for pair in pairs):
        what = f"{' and '.join(lacking)} cannot be compared" if lacking else "truth or prediction is not a number"
        sifted.left_out["regression quality"] = what
        return False
    return True


def _frame(columns: dict[str, Pair], side: str) -> pd.DataFrame:
    return pd.DataFrame({_safe(name): _safe_values(getattr(pair, side), pair.kind) for name, pair in columns.items()})


def _safe_values(values: Any, kind: str) -> Any:
    return values if kind == "number" else [value if value is None else _safe(value) for value in values]


def _safe(text: str) -> str:
    """Return a text that ends no script."""
    return text.replace("<", "\u2039")


def _closed(page: str) -> str:
    """Return the page with a policy that lets it fetch nothing, a title and no space before its document type."""
    head = f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Evidently\'s report</title>'
    return page.lstrip().replace("<head>", head, 1)


def _without_nan(value: Any) -> Any:
    """Return JSON with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
