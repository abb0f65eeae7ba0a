"""Try a bundle before it serves: what it declares, what it takes to load, and what it answers.

This runs in a process of its own (`cabstand.io.proving`), whose memory and time are limited: a bundle may make ONNX
Runtime crash, hang or allocate without end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling import onnx_check
from cabstand.modelling.bundle import MODEL, Manifest
from cabstand.modelling.fields import Columns, Field, columns_of
from cabstand.modelling.predictor import BATCH_ROWS, Predictor, check_same_features
from cabstand.modelling.problem import Problem

MAX_S = 1.0  # CPU time, to load and again to answer the largest batch
SIZES = (1, 2, 3, 7, 64, 257, BATCH_ROWS)
WELL = 0.95  # share of random valid rows that need a finite answer in order and in range
CLOSE = 1e-3  # a row's answer may differ by that, relatively, from one batch to another


def check_declared(problem: Problem, manifest: Manifest) -> None:
    """Raise a DataError unless the bundle declares the request and the target that the problem does."""
    check_same_features(problem, manifest)
    where = f"{manifest.problem} {manifest.version}"
    if manifest.task != problem.task:
        raise DataError(f"a {manifest.task[:40]}, not a {problem.task}", where=where)
    target = manifest.target
    if target.get("name") != problem.target.name or tuple(target.get("classes") or ()) != problem.target.classes:
        raise DataError("has another target or other classes than the problem", where=where)
    if [one.name for one in manifest.fields] != [one.name for one in problem.fields]:
        raise DataError("has other fields than the problem", where=where)
    for theirs, ours in zip(manifest.fields, problem.fields, strict=True):
        _check_field(theirs, ours, where)


def _check_field(theirs: Field, ours: Field, where: str) -> None:
    """Raise a DataError if a bundle's field allows values that the problem's does not."""
    same = (theirs.kind, theirs.optional) == (ours.kind, ours.optional)
    wider = not set(theirs.choices or ()) <= set(ours.choices or ())
    wider |= ours.minimum is not None and (theirs.minimum is None or theirs.minimum < ours.minimum)
    wider |= ours.maximum is not None and (theirs.maximum is None or theirs.maximum > ours.maximum)
    if not same or wider:
        raise DataError(f"its field {ours.name} is not the problem's", where=where)
    if theirs.example is not None:
        theirs.column([theirs.example])


def load(problem: Problem, manifest: Manifest, files: Mapping[str, bytes]) -> Predictor:
    """Return the predictor; a DataError if the model may not be loaded."""
    onnx_check.check(files[MODEL], manifest.n_features, f"{manifest.problem} {manifest.version} {MODEL}")
    with Stopwatch("to load"):
        return Predictor(problem, manifest, files)


class Stopwatch:
    """Raises a DataError if the block takes more CPU time than a bundle may."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._started = time.process_time()

    def __exit__(self, *_: object) -> None:
        if (took := time.process_time() - self._started) > MAX_S:
            raise DataError(f"takes {took:.1f} s of CPU time {self._what}", hint=f"at most {MAX_S:g} s are allowed")


def try_rows(problem: Problem, manifest: Manifest, predictor: Predictor) -> None:
    """Raise a DataError unless the bundle answers its example and random valid rows, alone and in batches."""
    where = f"{manifest.problem} {manifest.version}"
    rows = _random_rows(manifest.fields, np.random.default_rng(0))
    largest = _answers(problem, predictor, rows, BATCH_ROWS, where)
    if np.mean(_good(problem, largest)) < WELL:
        raise DataError("answers valid rows out of range, out of order or with no number", where=where)
    for n in SIZES[:-1]:
        _check_same(_answers(problem, predictor, rows, n, where), largest, n, where)
    example = {one.name: one.example for one in manifest.fields if one.example is not None}
    if any(one.name not in example and not one.optional for one in manifest.fields):
        return
    matrix = problem.matrix(columns_of(manifest.fields, [example]), predictor.assets)
    if not _good(problem, predictor.answer(matrix)).all():
        raise DataError("answers its example out of range, out of order or with no number", where=where)


def _answers(problem: Problem, predictor: Predictor, rows: Columns, n: int, where: str) -> dict[str, npt.NDArray[Any]]:
    """Return the answers to the first `n` rows, their shapes and types checked."""
    with Stopwatch(f"for {n:,} rows"):
        found = predictor.predict({name: values[:n] for name, values in rows.items()})
    for name, values in found.items():
        shape = (n, len(problem.target.classes)) if name == "probability" else (n,)
        kinds = "i" if name == "label" else "f"
        if values.shape != shape or values.dtype.kind not in kinds or values.dtype.itemsize > 8:
            raise DataError(f"answers {n} rows with {name} {values.dtype}{list(values.shape)[:4]}", where=where)
    if "label" in found and not ((found["label"] >= 0) & (found["label"] < len(problem.target.classes))).all():
        raise DataError("answers with a class that does not exist", where=where)
    return found


def _good(problem: Problem, answers: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    """Return which rows have a finite answer within the declared range, and an interval around it."""
    if "probability" in answers:
        shares = answers["probability"]
        good: npt.NDArray[np.bool_] = (shares >= -CLOSE).all(axis=1) & (abs(shares.sum(axis=1) - 1) < 0.01)
        return good
    good = np.logical_and.reduce([np.isfinite(values) for values in answers.values()])
    if problem.target.minimum is not None:
        good &= answers["point"] >= problem.target.minimum
    if "low" in answers:
        good &= (answers["low"] <= answers["point"]) & (answers["point"] <= answers["high"])
    return good


def _check_same(few: Mapping[str, npt.NDArray[Any]], many: Mapping[str, npt.NDArray[Any]], n: int, where: str) -> None:
    """Raise a DataError unless rows have the same answers in a smaller batch; labels may differ where they tie."""
    for name, values in few.items():
        if name != "label" and not np.allclose(values, many[name][:n], rtol=CLOSE, atol=CLOSE, equal_nan=True):
            raise DataError(f"answers the same row in two ways, as one of {n} and of {BATCH_ROWS:,}", where=where)


def _random_rows(fields: tuple[Field, ...], rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    """Return valid rows: the smallest values first, then the largest, then random ones."""
    found = {}
    for one in fields:
        if one.kind == "category":
            found[one.name] = np.resize(np.asarray(one.choices), BATCH_ROWS)
            continue
        if one.kind == "timestamp":
            seconds = np.sort(rng.integers(0, 200 * 31_556_952, BATCH_ROWS))
            found[one.name] = np.datetime64("1900-01-01", "s") + rng.permutation(seconds).astype("m8[s]")
            continue
        near = float(one.example or 0)
        low = near - 1_000 if one.minimum is None else one.minimum
        high = max(low, near + 1_000 if one.maximum is None else one.maximum)
        values = rng.uniform(low, high, BATCH_ROWS)
        values[:2] = low, high
        if one.kind == "integer":
            found[one.name] = np.clip(np.round(values), np.ceil(low), np.floor(high)).astype(np.int64)
        else:
            values[BATCH_ROWS // 2 :: 7] = np.nan if one.optional else low
            found[one.name] = values
    return found
