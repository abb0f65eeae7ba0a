"""Verify: compute each reference figure from the given data, and write the expected and actual values."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from cabstand import log
from cabstand.errors import CabstandError, ConfigError, DataError
from cabstand.io import provenance, sources, storage
from cabstand.modelling import reference
from cabstand.report import pages
from cabstand.settings import Settings

Expected = Mapping[str, tuple[float, float]]  # value and tolerance by figure
SCHEMA_VERSION = 1
LIBRARIES = (
    *("cabstand", "numpy", "scipy", "scikit-learn", "pyarrow", "numba"),
    *("mlflow", "onnx", "skl2onnx", "onnxruntime"),
)
TRIPS = "raw file; minutes from 1 to 60 inclusive; one-hot of both LocationIDs; least squares of least norm"
INTERCEPT, RMSE = 0.005, 0.001

# Rows, rows kept, columns, intercept and RMSE by file name; None where no figure was published.
MONTHS: dict[str, tuple[int, int, int | None, float, float]] = {
    "green_tripdata_2021-01.parquet": (76_518, 73_908, 506, 24.0476, 9.7756),
    "green_tripdata_2022-01.parquet": (62_495, 59_603, 470, 22.0955, 7.6528),
    "green_tripdata_2022-02.parquet": (69_399, 66_097, 467, 23.4085, 7.9698),
    "green_tripdata_2023-01.parquet": (68_211, 65_946, 467, 22.7668, 7.0399),
    "green_tripdata_2023-02.parquet": (64_809, 62_574, 462, 24.2201, 7.2024),
    "green_tripdata_2023-03.parquet": (72_044, 69_392, 449, 24.2471, 7.4238),
    "green_tripdata_2024-01.parquet": (56_551, 54_373, 448, 22.4215, 7.0820),
    "yellow_tripdata_2023-01.head100k.parquet": (100_000, 97_820, None, 19.9240, 7.5955),
}
FULL_MONTH = "yellow_tripdata_2023-03.parquet"
# Published as "about": the tolerance covers the digits that were not published.
FULL_FIGURES = {
    "rows": (3_403_766, 0.0),
    "kept": (3_316_216, 0.0),
    "columns": (518, 0.0),
    "intercept": (24.77, 0.01),
    "artifact_bytes": (4_500, 500.0),
}
IRIS = {"logistic accuracy": 0.960, "logistic F1": 0.960, "forest accuracy": 0.973, "forest F1": 0.973}
HOUSING = {"linear R2": (0.476, 0.01), "linear MSE": (0.524, 0.01), "tree R2": (0.588, 0.01), "tree MSE": (0.412, 0.02)}
# Published as "R2 0.7 to 0.8, MAE 5 to 8 min", without a protocol. A smaller error is no failure, so 0 to 8 passes.
FOREST_MONTH = "green_tripdata_2023-01.parquet"
FOREST = {"R2": (0.75, 0.05), "MAE": (4.0, 4.0)}


@dataclass(frozen=True)
class Params:
    """Folder of the data, months of one's own, and output folder of the evidence.

    Without a folder, only what needs no file is checked; with months alone, nothing else is.
    """

    data: str = ""
    out: str = ""
    months: tuple[str, ...] = ()  # files or addresses of the TLC's trip files


@dataclass(frozen=True)
class Check:
    """One figure; `status` is `pass`, `fail` or `not checked`."""

    subject: str
    figure: str
    expected: float | str
    actual: float | None
    tolerance: float
    status: str
    protocol: str
    reason: str = ""


def published(problem: str) -> dict[str, dict[str, Any]]:
    """Return the published figures of a problem by subject, which `run` checks; none for a problem of one's own."""
    if problem == "iris":
        return {"iris": dict(IRIS)}
    if problem == "housing":
        return {"housing": {name: value for name, (value, _) in HOUSING.items()}}
    if not problem.startswith("trip-duration"):
        return {}
    names = ("rows", "kept", "columns", "intercept", "rmse")
    linear = {month: dict(zip(names, figures, strict=True)) for month, figures in MONTHS.items()}
    return linear | {FULL_MONTH: {name: value for name, (value, _) in FULL_FIGURES.items()}}


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Check every reference figure, compute those of further months, and write the evidence as JSON and as a page."""
    if params.data and not Path(params.data).is_dir():
        raise ConfigError("no such folder", where=params.data, hint="--data takes a folder of trip files")
    months = [_month(settings, uri) for uri in params.months]
    checks = list(_checks(params)) if params.data or not months else []
    checks += [check for month in months for check in month.checks]
    out = params.out or str(settings.home / "reports" / ("evidence" if params.data or not months else "months"))
    summary = {status: sum(one.status == status for one in checks) for status in ("pass", "fail", "not checked")}
    content = {
        "schema_version": SCHEMA_VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": {"version": provenance.code_version(), "commit": provenance.git_commit()},
        "environment": _environment(),
        "data": _hashes(params.data) | {month.name: month.sha256 for month in months},
        "months": {month.name: month.figures for month in months},
        "summary": summary,
        "checks": [asdict(one) for one in checks],
    }
    evidence_uri, page_uri = storage.join(out, "evidence.json"), storage.join(out, "evidence.html")
    storage.write(evidence_uri, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    storage.write(page_uri, pages.evidence(content).encode())
    return {
        "passed": summary["pass"],
        "failed": summary["fail"],
        "not_checked": summary["not checked"],
        "failures": [f"{one.subject}: {one.figure} {one.actual}, not {one.expected} {one.reason}".strip()
                     for one in checks if one.status == "fail"],
        "months": content["months"],
        "evidence_uri": evidence_uri,
        "page_uri": page_uri,
    }  # fmt: skip


class _Month(NamedTuple):
    """The figures of a month, and their checks if figures of a file with this name were published."""

    name: str  # its path or address
    sha256: str
    figures: dict[str, float]
    checks: list[Check]


def _month(settings: Settings, uri: str) -> _Month:
    """Compute the figures of a month that is on disk, in S3 or at a web address."""
    with sources.local_copy(settings, uri) as copy, log.progress(f"computing {uri}"):
        try:
            figures = _trips(copy.path)
        except DataError as error:
            raise DataError(error.what, where=copy.name, hint=error.hint) from error
    file = copy.name.rpartition("/")[2]
    published = FULL_FIGURES if file == FULL_MONTH else _expected(file) if file in MONTHS else {}
    return _Month(copy.name, copy.sha256, figures, list(_compare(copy.name, published, figures, TRIPS)))


def _expected(name: str) -> Expected:
    rows, kept, columns, intercept, rmse = MONTHS[name]
    expected = {"rows": (rows, 0.0), "kept": (kept, 0.0), "intercept": (intercept, INTERCEPT), "rmse": (rmse, RMSE)}
    return expected | ({"columns": (columns, 0.0)} if columns else {})


def _checks(params: Params) -> Iterator[Check]:
    with log.progress("checking", len(MONTHS)) as advance:
        for name in MONTHS:
            yield from _file(params.data, name, _expected(name), TRIPS, _trips)
            advance(1)
        yield from _file(params.data, FULL_MONTH, FULL_FIGURES, TRIPS, _trips)
        yield from _file(params.data, "housing.csv.gz", HOUSING, reference.HOUSING_PROTOCOL, reference.housing)
        tolerant = {name: (value, 0.01) for name, value in IRIS.items()}
        yield from _compare("iris", tolerant, reference.iris(), reference.IRIS_PROTOCOL)
        forest = _file(params.data, FOREST_MONTH, FOREST, reference.FOREST_PROTOCOL, reference.forest)
        yield from (replace(one, subject="random forest on green trips") for one in forest)


def _trips(path: Path) -> dict[str, float]:
    return asdict(reference.linear(path))


def _file(
    data: str, name: str, expected: Expected, protocol: str, compute: Callable[[Path], dict[str, float]]
) -> Iterator[Check]:
    path = next(iter(sorted(Path(data).rglob(name))), None) if data else None
    status, reason = "not checked", "the file is not there"
    if path is not None:
        try:
            yield from _compare(name, expected, compute(path), protocol)
            return
        except CabstandError as error:
            status, reason = "fail", str(error)
    for figure, (value, tolerance) in expected.items():
        yield Check(name, figure, value, None, tolerance, status, protocol, reason)


def _compare(subject: str, expected: Expected, actual: dict[str, float], protocol: str) -> Iterator[Check]:
    for figure, (value, tolerance) in expected.items():
        status = "pass" if abs(actual[figure] - value) <= tolerance else "fail"
        yield Check(subject, figure, value, actual[figure], tolerance, status, protocol)


def _environment() -> dict[str, Any]:
    found = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"] in LIBRARIES}
    return {"python": sys.version.split()[0], "platform": platform.platform(), "libraries": dict(sorted(found.items()))}


def _hashes(data: str) -> dict[str, str]:
    names = {*MONTHS, FULL_MONTH, "housing.csv.gz"}
    found = sorted(path for path in Path(data).rglob("*") if path.name in names) if data else []
    return {path.name: provenance.sha256_file(path) for path in found}
