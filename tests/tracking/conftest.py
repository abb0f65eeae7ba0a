"""A machine on which the set-up script has run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres_server import free_port, running_postgres
from tracking_machine import ADMIN, KEYS, TASKS, Machine


@pytest.fixture(scope="module")
def machine(moto_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which `mlflow_setup.sh` has run to its end."""
    import boto3

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=moto_server, **KEYS)

    folder = tmp_path_factory.mktemp("machine")
    for name in ("root/run", "state", "bin"):
        (folder / name).mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("systemctl"), folder / "bin/systemctl")
    (folder / "bin/aws").symlink_to(Path(sys.executable).with_name("aws"))
    with running_postgres() as postgres:
        made = Machine(folder / "root", folder / "state", folder / "bin", free_port(), moto_server, postgres, client)
        client("s3").create_bucket(Bucket=made.bucket)
        values = {"server": ADMIN, "tasks": TASKS, "master": {"username": postgres.user, "password": postgres.password}}
        for name, value in values.items():
            answer = client("secretsmanager").create_secret(Name=f"t/{name}", SecretString=json.dumps(value))
            made.arns[name] = answer["ARN"]
        made.write_config()
        done = made.run()
        try:
            log = made.state / "cabstand-mlflow.service.log"
            assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
            yield made
        finally:
            if (made.state / "cabstand-mlflow.service.pid").exists():
                made.systemctl("stop", "cabstand-mlflow.service")
