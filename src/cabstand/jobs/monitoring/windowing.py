"""Make the monitor's window: drift of all rows, error where the truth is known, an estimate where it is late."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from cabstand.jobs.monitoring import hotspots, rows
from cabstand.jobs.monitoring.current import Current, short_hash
from cabstand.jobs.monitoring.judged import HIGH, LABEL, LOW, PREDICTION, TARGET, TIME, Judged
from cabstand.jobs.retraining import rules
from cabstand.monitoring import sample
from cabstand.monitoring.derived import derive
from cabstand.monitoring.findings import Quality, Window
from cabstand.monitoring.late_truth import Answers
from cabstand.monitoring.profiles import Batches, Kind, of_table
from cabstand.monitoring.quality import Array, Tally
from cabstand.monitoring.sample import Samples
from cabstand.monitoring.windows import Compared, Span, compare_rows
from cabstand.tlc import ZONE

TABLES = "tables"  # the problem of windows that are compared without a model
# Numbers that are names: of the TLC's zones and codes.
_CODES = (
    "pickup_zone", "dropoff_zone", "PULocationID", "DOLocationID", "VendorID", "RatecodeID", "payment_type",
    "trip_type",
)  # fmt: skip
KINDS: dict[str, Kind] = dict.fromkeys(_CODES, "category")


def sides(judged: Judged, found: Batches) -> tuple[Batches, Batches]:
    """Return the reference of a version and current rows with the columns to compare; without truth, neither has it."""
    names = [name for name in judged.compared if name != TARGET or TARGET in found.schema.names]
    return rows.only(of_table(judged.reference), names), rows.only(found, names)


def of_version(
    chosen: Current, judged: Judged, reference: Batches, current: Batches, found: Batches, now: datetime
) -> Window:
    """Return the window of a version's rows; `found` has the columns of both sides and the intervals."""
    compared = compare_rows(reference, current, rules.thresholds(chosen.settings), KINDS)
    start, end = _ends(chosen, compared, now)
    then, errors = judged.on_holdout()
    truth = _quality(found, chosen.settings.monitor_min_rows) if then is not None else None
    ratio = None if chosen.days else compared.volume_ratio  # requests a day are not trips a day
    return Window(
        judged.problem.name,
        judged.manifest.version,
        start,
        end,
        compared.drift,
        volume_ratio=None if ratio is None else ratio * judged.reference.num_rows / judged.n_training,
        quality=truth,
        quality_then=then,
        estimated_mae=None if errors is None else errors.estimate(map(_answered, found)),
        source=chosen.name,
        facts=_facts(chosen) | {"unit": judged.problem.target.unit},
    )


def of_tables(chosen: Current, against: Current, reference: Batches, current: Batches, now: datetime) -> Window:
    """Return the window of one table against another, without a model."""
    compared = compare_rows(reference, current, rules.thresholds(chosen.settings), KINDS)
    start, end = _ends(chosen, compared, now)
    version = f"t-{short_hash(against.uri, chosen.uri)}"
    facts = _facts(chosen) | {"reference": against.uri} | hotspots.facts(reference, current)
    return Window(TABLES, version, start, end, compared.drift, compared.volume_ratio, facts=facts)


def samples(reference: Batches, current: Batches, window: Window, seed: int) -> Samples | None:
    """Return samples of the columns that were compared, for Evidently's report; None if a side has no rows."""
    names = [one.column for one in window.drift.columns]
    taken = []
    for side in (reference, current):
        derived = rows.only(derive(side), names)
        if not any(batch.num_rows for batch in derived):
            return None
        taken.append(sample.take(derived, seed=seed))
    has = [name if all(name in one.column_names for one in taken) else "" for name in (TARGET, PREDICTION)]
    return Samples(taken[0], taken[1], seed, has[0], has[1], frozenset(KINDS) & {*names})


def _ends(chosen: Current, compared: Compared, now: datetime) -> tuple[datetime, datetime]:
    """Return when the window's rows happened; `now` if nothing tells."""
    if chosen.start and chosen.end:
        return chosen.start, chosen.end
    span: Span | None = compared.current
    if span is None:
        return now, now
    start, end = (one.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for one in (span.start, span.end))
    return start, end


def _facts(chosen: Current) -> dict[str, str | int | float | bool | None]:
    rows_of = chosen.uri or f"predictions from {chosen.days[0]} to before {chosen.days[1]}"
    return {"rows": rows_of, "synthetic": chosen.synthetic}


def _quality(found: Batches, min_labels: int) -> Quality | None:
    """Return how the version did; None without truth, or while fewer than `min_labels` predictions have a label."""
    name = next((one for one in (TARGET, LABEL) if one in found.schema.names), None)
    if name is None:
        return None
    tally, n = Tally(), 0
    for batch in found:
        known = batch.filter(pc.is_finite(batch.column(name))) if name == LABEL else batch
        n += known.num_rows
        if known.num_rows:
            answers, time = _answered(known), _array(known, TIME)
            tally.add(answers.predicted, known.column(name).to_numpy(), answers.low, answers.high, time)
    return None if name == LABEL and n < min_labels else tally.quality()


def _answered(batch: pa.RecordBatch) -> Answers:
    return Answers(batch.column(PREDICTION).to_numpy(), _array(batch, LOW), _array(batch, HIGH))


def _array(batch: pa.RecordBatch, name: str) -> Array | None:
    if name not in batch.schema.names:
        return None
    found: Array = batch.column(name).to_numpy(zero_copy_only=False)
    return found
