"""Monitor: compare a window of rows with the reference, decide, record the decision, and show it.

Rows are a month of trips or other files, which the champion predicts, or predictions that were logged. Two tables can
also be compared without a model.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cabstand.errors import ConfigError, NothingToDo
from cabstand.io import bundles, labels, ledger, pointer
from cabstand.jobs.monitoring import current, evidence, judged, result, rows, windowing
from cabstand.jobs.monitoring.current import Current
from cabstand.jobs.pipelining import champion, newest_input
from cabstand.jobs.retraining import asking, rules
from cabstand.monitoring.findings import Window
from cabstand.monitoring.profiles import Batches
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to monitor; the fields are the options of `cabstand monitor`."""

    problem: str = "trip-duration"
    current: str = ""  # `<dataset>:<YYYY-MM>` of the lake, `newest`, or files; empty: the champion's newest month
    predictions: str = ""  # `<day>..<day>`, UTC, both included
    source: str = "auto"
    reference: str = ""  # as `current`; empty: the version's own
    version: str = ""  # empty: the champion
    seed: int = 0  # of the sample for Evidently's report
    track: bool = True


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Monitor one window and return the decision, why, and where the report is."""
    if params.current and params.predictions:
        raise ConfigError("only one of both can be looked at", where="--current, --predictions")
    if params.reference and params.predictions:
        raise ConfigError("predictions are compared with the version that made them", where="--reference")
    uri = params.current or ("" if params.predictions else _newest_of_champion(settings, params))
    now, chosen = datetime.now(UTC), current.parse(settings, uri, params.predictions)
    if params.predictions == current.YESTERDAY:
        _require_champion(settings, params)
        _require_predictions(chosen, params)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cabstand-monitor-")))
        if params.reference:
            window, sides = _of_tables(stack, chosen, params, now)
        else:
            window, sides = _of_version(stack, chosen, params, folder, now)
        decision, new = ledger.decide(chosen.settings.lake_uri, window, rules.of(settings), now)
        samples = windowing.samples(*sides, window, params.seed)
        shown = evidence.publish_evidence(chosen.settings, window, decision, samples, track=params.track)
    return result.of(window, decision, shown) | asking.act(chosen.settings, decision, new=new)


def _newest_of_champion(settings: Settings, params: Params) -> str:
    """Return the newest month of the data set that the champion was trained on."""
    _require_champion(settings, params)
    name = bundles.name_of(settings.artifacts_uri, params.problem)
    return f"{newest_input.NEWEST}:{champion.dataset(settings, name)}"


def _require_champion(settings: Settings, params: Params) -> None:
    """Raise NothingToDo without a champion, which is no schedule's fault."""
    name = bundles.name_of(settings.artifacts_uri, params.problem)
    if not params.version and pointer.read(settings.artifacts_uri, name)[0] is None:
        raise NothingToDo("no champion yet", where=name, hint="`cabstand pipeline` publishes the first one")


def _require_predictions(chosen: Current, params: Params) -> None:
    """Raise NothingToDo if nobody asked on that day."""
    name = bundles.name_of(chosen.settings.artifacts_uri, params.problem)
    if next(current.records(chosen.settings, params.source, name, chosen.days), None) is None:
        raise NothingToDo(f"no predictions on {chosen.days[0]}", where=name)


def _of_tables(
    stack: ExitStack, chosen: Current, params: Params, now: datetime
) -> tuple[Window, tuple[Batches, Batches]]:
    """Return the window of one table against another, and both."""
    reference = current.parse(chosen.settings, params.reference, "")
    sides = rows.of_tables(stack, reference.uri), rows.of_tables(stack, chosen.uri)
    return windowing.of_tables(chosen, reference, *sides, now), sides


def _of_version(
    stack: ExitStack, chosen: Current, params: Params, folder: Path, now: datetime
) -> tuple[Window, tuple[Batches, Batches]]:
    """Return the window of a version's rows against its reference, and both."""
    settings = chosen.settings
    version = judged.load(settings, params.problem, params.version)
    path = folder / "rows.parquet"
    if chosen.days:
        records = current.records(settings, params.source, version.problem.name, chosen.days)
        since, until = (day.isoformat() for day in chosen.days)
        labelled = labels.read(chosen.settings.lake_uri, version.problem.name, since, until)
        found = rows.of_predictions(version, records, labelled, path, params.predictions)
    else:
        found = rows.of_trips(stack, settings.lake_uri, version, chosen.uri, path)
    sides = windowing.sides(version, found)
    return windowing.of_version(chosen, version, *sides, found, now), sides
