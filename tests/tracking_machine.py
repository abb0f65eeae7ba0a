"""The tracking server's setup script, run in full in a folder that stands for the machine's root."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postgres_server import Postgres

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "infra/modules/tracking/files/mlflow_setup.sh"
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
ADMIN = {"username": "admin", "password": "admin-pass-for-test"}  # pragma: allowlist secret
ADMIN["flask_secret_key"] = "session-key-for-test"  # pragma: allowlist secret
TASKS = {"username": "tasks", "password": "tasks-pass-for-test"}  # pragma: allowlist secret


@dataclass
class Machine:
    """A machine's root folder, its surroundings, and how to reach its server."""

    root: Path
    state: Path
    bin: Path
    port: int
    aws: str
    postgres: Postgres
    client: Callable[[str], Any]
    bucket: str = "mlflow-files"
    arns: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the script as cloud-init would."""
        path = f"{self.bin}:/usr/local/bin:/usr/bin:/bin"
        env = {
            "PATH": path,
            "MLFLOW_ACCOUNT": pwd.getpwuid(os.geteuid()).pw_name,
            "CABSTAND_ROOT": str(self.root),
            "UNITS": str(self.root / "etc/systemd/system"),
            "STATE": str(self.state),
            "SERVICE_PATH": path,
            "HOME": str(self.state),
            "PIP_CACHE_DIR": str(Path.home() / ".cache/pip"),
            "PIP_NO_COMPILE": "1",  # halves the time; the first import compiles
        } | {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        return subprocess.run(
            ["bash", str(SCRIPT), *words], env=env, capture_output=True, text=True, timeout=900, check=False
        )

    def systemctl(self, *words: str) -> None:
        env = {
            "UNITS": str(self.root / "etc/systemd/system"),
            "STATE": str(self.state),
            "SERVICE_PATH": os.environ["PATH"],
        }
        subprocess.run([str(self.bin / "systemctl"), *words], env=os.environ | env, check=True, timeout=60)

    def write_config(self) -> None:
        config = {
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
            # For the test only: no TLS, this Python, this user.
            "PGSSLMODE": "disable",
            "MLFLOW_PYTHON": sys.executable,
        }
        folder = self.root / "etc/cabstand"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mlflow.env").write_text("".join(f"{name}={value}\n" for name, value in config.items()))
