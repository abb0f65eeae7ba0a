"""A machine on which the set-up script has run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cabstand.local.ports import free_port
from cabstand.local.tracking.machine import SERVICE
from postgres_server import running_postgres
from tracking_machine import ADMIN, KEYS, SCRIPT, TASKS, Machine


@pytest.fixture(scope="module")
def machine(moto_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which `mlflow_setup.sh` has run to its end."""
    import boto3

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=moto_server, **KEYS)

    with running_postgres() as postgres:
        made = Machine(
            folder=tmp_path_factory.mktemp("machine"),
            script=SCRIPT,
            port=free_port(),
            aws=moto_server,
            postgres=postgres,
            client=client,
        )
        client("s3").create_bucket(Bucket=made.bucket)
        values = {"server": ADMIN, "tasks": TASKS, "master": {"username": postgres.user, "password": postgres.password}}
        for name, value in values.items():
            answer = client("secretsmanager").create_secret(Name=f"t/{name}", SecretString=json.dumps(value))
            made.arns[name] = answer["ARN"]
        made.make(made.settings())
        done = made.run()
        try:
            assert done.returncode == 0, done.stderr + (made.log.read_text() if made.log.exists() else "")
            yield made
        finally:
            made.systemctl("stop", SERVICE)
