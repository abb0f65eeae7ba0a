"""Labels: join logged predictions with what came true, from trips that arrived later or from a caller's own file.

Trips carry no id of a request. A prediction is matched to the one trip of its month with the same zones and, within a
tolerance, the same pick-up time; what is not beyond doubt is counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cabstand.errors import ConfigError, NothingToDo
from cabstand.io import labels, lake, storage, synthetic
from cabstand.io.labels import Label
from cabstand.io.prediction_lines import Record
from cabstand.jobs import predictions
from cabstand.jobs.labelling import given
from cabstand.jobs.labelling.matching import ABSENT, AMBIGUOUS, match
from cabstand.jobs.pipelining import champion, months
from cabstand.modelling import catalog
from cabstand.modelling.fields import columns_of
from cabstand.modelling.problem import Problem
from cabstand.settings import Settings

MATCHED, UNMATCHED, DOUBTFUL, WAITING = "n_matched", "n_unmatched", "n_ambiguous", "n_waiting"
LONGEST_TOLERANCE_S = 3600


@dataclass(frozen=True)
class Params:
    """What to join; the fields are the options of `cabstand labels join`."""

    problem: str = "trip-duration"
    source: Literal["local", "lake"] = "local"
    since: str = ""  # days of prediction (UTC), `until` excluded; empty is no bound
    until: str = ""
    dataset: str = ""  # of the trips; empty: the champion's
    tolerance_s: int = 0
    truth: str = ""  # a file with the truth by request id, instead of trips


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Add the labels that are found to those in the lake; return how many predictions have one, and what others lack.

    Joining again changes nothing, except for trips or truth that came since.
    """
    problem = catalog.find(params.problem)
    _check(params, problem)
    read = predictions.read(settings, params.source, problem.name, params.since, params.until)
    records = list(predictions.once(read))
    if not records:
        raise NothingToDo("no predictions of this problem in this time", hint="see --problem, --since and --source")
    if params.truth:
        found, counts = _by_request(records, given.read(params.truth, problem.target.name), problem)
    else:
        dataset = params.dataset or champion.dataset(settings, problem.name)
        if months.is_synthetic(dataset):
            settings = synthetic.settings_for(settings, True, dataset)
        found, counts = _by_trips(settings, dataset, records, params.tolerance_s, problem)
    labels.add(settings.lake_uri, problem.name, found)
    numbers = {name: counts[name] for name in (MATCHED, DOUBTFUL, UNMATCHED, WAITING)}
    where = labels.folder(settings.lake_uri, problem.name)
    return {"problem": problem.name, "n_predictions": len(records), **numbers, "labels_uri": where}


def _check(params: Params, problem: Problem) -> None:
    if problem.task != "regression":
        raise ConfigError("labels are joined for regressions alone", where=problem.name)
    if params.truth and (params.dataset or params.tolerance_s):
        raise ConfigError("the truth is matched by request id alone", where="--truth", hint="leave the other out")
    if not 0 <= params.tolerance_s <= LONGEST_TOLERANCE_S:
        raise ConfigError(f"{params.tolerance_s} s is out of range", where="--tolerance-s", hint="0 to 3600")


def _by_request(
    records: Sequence[Record], truth: dict[labels.Key, float], problem: Problem
) -> tuple[list[Label], Counter[str]]:
    known = [one for one in records if (one["request_id"], one["row"]) in truth]
    found = [_label(one, truth[one["request_id"], one["row"]], "request", problem) for one in known]
    return found, Counter({MATCHED: len(found), UNMATCHED: len(records) - len(found)})


def _by_trips(
    settings: Settings, dataset: str, records: Sequence[Record], tolerance_s: int, problem: Problem
) -> tuple[list[Label], Counter[str]]:
    """Match the predictions about each month that the lake has; about another, they wait for it."""
    at = next((one.name for one in problem.fields if one.kind == "timestamp"), "")
    by_month: dict[str, list[Record]] = {}
    for one in records:
        by_month.setdefault(str(one["features"].get(at))[:7], []).append(one)
    complete = set(months.complete(settings, dataset))
    found: list[Label] = []
    counts: Counter[str] = Counter()
    for month, some in sorted(by_month.items()):
        if month in complete:
            found += _of_month(lake.Month(settings.lake_uri, dataset, month), some, tolerance_s, problem, counts)
        else:
            counts[WAITING] += len(some)
    return found, counts


def _of_month(
    month: lake.Month, records: Sequence[Record], tolerance_s: int, problem: Problem, counts: Counter[str]
) -> list[Label]:
    with storage.fetched(month.trips_uri) as path:
        trips = problem.load([path], {})
    asked = columns_of(problem.fields, [one["features"] for one in records])
    chosen = match(problem.fields, asked, trips.columns, tolerance_s)
    counts[UNMATCHED] += int((chosen == ABSENT).sum())
    counts[DOUBTFUL] += int((chosen == AMBIGUOUS).sum())
    counts[MATCHED] += int((chosen >= 0).sum())
    name = f"{month.dataset} {month.month}"
    both = zip(records, chosen.tolist(), strict=True)
    return [_label(one, float(trips.target[trip]), name, problem) for one, trip in both if trip >= 0]


def _label(record: Record, truth: float, matched_by: str, problem: Problem) -> Label:
    answer = record["answer"]
    answered = {"predicted": answer.get(problem.target.name), "low": answer.get("low"), "high": answer.get("high")}
    names = ("request_id", "row", "at", "version")
    return {name: record[name] for name in names} | {"truth": truth, "matched_by": matched_by} | answered
