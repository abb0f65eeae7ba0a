"""Synth: a month of synthetic trips in the lake, marked as synthetic everywhere, with the true hotspots beside it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cabstand import log
from cabstand.errors import ConfigError, suggest
from cabstand.io import lake, synthetic, zones
from cabstand.jobs import ingest
from cabstand.settings import Settings
from cabstand.trips import eras
from cabstand.trips.clean import Contract
from cabstand.trips.quarantine import write_month
from cabstand.trips.readers import Batch
from cabstand.trips.synthetic import generator
from cabstand.trips.synthetic.zones import synthetic_zones

MAX_TRIPS = 1_000_000_000


@dataclass(frozen=True)
class Params:
    """What to make, and the name of its dataset; the plan's fields are the options of `cabstand synth`."""

    plan: generator.Plan
    dataset: str = synthetic.DATASET
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Generate the trips, and return their manifest and addresses."""
    _check(params)
    plan = params.plan
    month = lake.Month(settings.lake_uri, params.dataset, plan.month)
    where = month.addresses | {"planted_uri": month.planted_uri}
    if synthetic.of_lake(settings.lake_uri) is False:
        hint = "give another --lake: synthetic trips never lie beside real ones"
        raise ConfigError("the lake holds real data", where=settings.lake_uri, hint=hint)
    if params.dry_run:
        return {"dry_run": True, "synthetic": True, "dataset": params.dataset, "month": plan.month} | where
    zones.write(settings.lake_uri, synthetic_zones())
    manifest = lake.publish(month, lambda *paths: _make(params, month, *paths))
    return ingest.result(month, manifest) | where | {"recommended": generator.recommended(plan.trips)}


def _check(params: Params) -> None:
    plan = params.plan
    ingest.check_month(plan.month)
    if plan.era not in (eras.COORDINATES, eras.ZONES):
        raise ConfigError(
            f"unknown era {plan.era[:40]!r}", where="--era", hint=suggest(plan.era, (eras.COORDINATES, eras.ZONES))
        )
    if not re.fullmatch(r"synth(-[a-z0-9]{1,30})*", params.dataset, re.ASCII):
        raise ConfigError(
            f"invalid dataset name: {params.dataset[:40]!r}", where="--name", hint="synth, or synth-something"
        )
    bounds = {
        "trips": (1, MAX_TRIPS),
        "seed": (0, 2**63),
        "decimals": (2, 8),
        "bad_share": (0.0, 0.5),
        "slowdown": (0.1, 10.0),
        "hotspot_shift_m": (-2_000.0, 2_000.0),
        "hour_shift": (-23, 23),
        "airport_factor": (0.0, 100.0),
    }
    for name, (low, high) in bounds.items():
        value = getattr(plan, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{value} is not in {low} to {high}", where=f"--{name.replace('_', '-')}")


def _make(params: Params, month: lake.Month, trips: Path, quarantine: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    plan = params.plan
    described = asdict(plan) | {"dataset": params.dataset}
    sha256 = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    key = ingest.run_key(sha256)
    planted = generator.Planted(plan)
    facts = {"run_key": key, "dataset": params.dataset, "month": plan.month, "synthetic": "true"}
    with log.progress(f"synthetic trips {plan.month}", plan.trips) as advance:
        contract = Contract(eras.needed_columns("yellow", plan.era), plan.month, refuse_duplicates=False)
        batches = (Batch(made, np.zeros(made.num_rows, bool)) for made in generator.generate(plan, planted))
        balance = write_month(batches, trips, quarantine, contract=contract, facts=facts, advance=advance)
    truth = {month.planted_uri: (json.dumps(planted.as_dict(), indent=2) + "\n").encode()}
    manifest = ingest.manifest_of(
        balance,
        key,
        dataset=params.dataset,
        month=plan.month,
        source=f"synthetic, seed {plan.seed}",
        sha256=sha256,
        era=plan.era,
        columns={},
        columns_ignored=[],
        columns_unknown=[],
        plan=described,
        synthetic=True,
    )
    return manifest, truth
