"""Check an environment, in AWS or on this machine: what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cabstand.account import doctor
from cabstand.account.deployment import Deployment
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Which environment; of one on this machine, what its stack tells besides."""

    environment: str = "dev"
    project: str = "cabstand"
    endpoint: str = ""  # of the service; empty: API Gateway's
    mlflow: str = ""  # empty: the tracking server of the settings, if they name one
    on_laptop: bool = False
    answers: bool = True  # False if its emulator does not run
    found: Sequence[Line] = ()  # lines about its parts


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return each check with its status (ok, warn or fail), what was found and what to do, and how many failed."""
    deployment = Deployment(params.project, params.environment)
    mlflow = params.mlflow or _address(settings.mlflow_tracking_uri.get_secret_value())
    subject = Subject(deployment, params.endpoint, mlflow, params.on_laptop, params.answers)
    lines = [*params.found, *doctor.run(subject)]
    return {
        "environment": params.environment,
        "checks": [line._asdict() for line in lines],
        "failed": sum(line.status == "fail" for line in lines),
        "warnings": sum(line.status == "warn" for line in lines),
    }


def _address(uri: str) -> str:
    """Return a server's address without user and password; empty if it is no server."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme in {"http", "https"} else ""
