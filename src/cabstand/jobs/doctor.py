"""Check an environment in AWS: credentials, quotas, and whether its tasks can start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.account import checks
from cabstand.account.deployment import Deployment
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Which environment."""

    environment: str = "dev"
    project: str = "cabstand"


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return each check with its status (ok, warn or fail), what was found and what to do, and how many failed."""
    del settings  # resources are found by their names
    found = checks.run(Deployment(params.project, params.environment))
    return {
        "environment": params.environment,
        "checks": [check._asdict() for check in found],
        "failed": sum(check.status == "fail" for check in found),
        "warnings": sum(check.status == "warn" for check in found),
    }
