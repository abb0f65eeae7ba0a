"""Price a Terraform plan, offline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cabstand.costs import table
from cabstand.costs.estimate import estimate
from cabstand.errors import DataError
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to price; the fields are the options of `cabstand cost`. A limit of None is not checked."""

    plan: Path
    limit_usd: float | None = None
    asleep_limit_usd: float | None = None
    run_minutes: float = 10.0
    region: str = "us-east-1"


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Price the plan; `over` in the result lists what exceeds its limit, or why that is not known."""
    del settings  # prices and plan are files
    try:
        plan = json.loads(params.plan.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            "not a Terraform plan in JSON", where=params.plan, hint="terraform show -json PLAN > plan.json"
        ) from error
    prices = table.load(params.region)
    found = estimate(plan, prices, run_minutes=params.run_minutes)
    over = [
        f"{name} {usd} USD a month, over {limit}"
        for name, usd, limit in (
            ("idle", found.idle_usd_month, params.limit_usd),
            ("asleep", found.asleep_usd_month, params.asleep_limit_usd),
        )
        if limit is not None and usd > limit
    ]
    if found.unpriced and (params.limit_usd, params.asleep_limit_usd) != (None, None):
        over.append(f"no price for {'; '.join(found.unpriced)}")
    return {
        "idle_usd_month": found.idle_usd_month,
        "asleep_usd_month": found.asleep_usd_month,
        "million_predictions_usd": found.million_predictions_usd,
        "runs": [asdict(one) for one in found.runs],
        "lines": [asdict(line) for line in found.lines],
        "unpriced": found.unpriced,
        "by_use": found.by_use,
        "region": prices.region,
        "oldest_price": prices.oldest,
        "over": over,
    }
