"""The complete set-up script of the server, run below a folder that stands in for the machine's root."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cabstand.local.tracking.machine as real
from postgres_server import Postgres

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "infra/modules/tracking/files/mlflow_setup.sh"
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
ADMIN = {"username": "admin", "password": "admin-pass-for-test"}  # pragma: allowlist secret
ADMIN["flask_secret_key"] = "session-key-for-test"  # pragma: allowlist secret
TASKS = {"username": "tasks", "password": "tasks-pass-for-test"}  # pragma: allowlist secret


@dataclass(kw_only=True)
class Machine(real.Machine):
    """A root folder, the services around it, and how to reach its server."""

    port: int
    aws: str
    postgres: Postgres
    client: Callable[[str], Any]
    bucket: str = "mlflow-files"
    arns: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        return {
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_ALLOWED_HOSTS": "127.0.0.1,mlflow.test.internal",
            "MLFLOW_ARTIFACTS_URI": f"s3://{self.bucket}/mlflow",
            "MLFLOW_DB_HOST": self.postgres.host,
            "MLFLOW_DB_PORT": str(self.postgres.port),
            "MLFLOW_DB_NAME": "mlflow",
            "MLFLOW_DB_SECRET_ARN": self.arns["master"],
            "MLFLOW_SERVER_SECRET_ARN": self.arns["server"],
            "MLFLOW_TASKS_SECRET_ARN": self.arns["tasks"],
            "MLFLOW_REQUIREMENTS": str(ROOT / "requirements/mlflow.txt"),
            # For this test only: no TLS, this Python.
            "PGSSLMODE": "disable",
            "MLFLOW_PYTHON": sys.executable,
        }
