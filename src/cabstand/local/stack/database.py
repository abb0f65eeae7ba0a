"""The part that stands in for RDS, where PostgreSQL is installed; its master's password is the one in the secret."""

from __future__ import annotations

import json
import os
import signal

from cabstand.local.ports import wait_until_open
from cabstand.local.postgres import server
from cabstand.local.stack import environment, processes, terraform
from cabstand.local.stack.state import Part, State

STOP = signal.SIGINT  # SIGTERM would wait for clients


def start(state: State) -> Part | None:
    """Start the server on its folder, which may have been kept; None where PostgreSQL is not installed."""
    if (found := server.programs()) is None:
        return None
    instance = server.Server(server.make_folder(state.folder / "postgres"), state.ports["postgres"], found)
    # Of a killed server, whose id may still be a zombie's.
    (instance.data / "postmaster.pid").unlink(missing_ok=True)
    instance.prepare(_password(state))
    given = environment.marks(state) | {"PATH": os.environ["PATH"], "TMPDIR": str(instance.folder)}
    log = state.log("postgres")
    process = processes.start(instance.command, log, given, instance.folder, user=server.account())
    wait_until_open(instance.port, lambda: process.alive, f"PostgreSQL ({log})", ready=instance.is_ready)
    return Part(process.pid, process.started, f"postgresql://127.0.0.1:{instance.port}")


def _password(state: State) -> str:
    """Return the managed password; moto's secret names another master user than the instance, so correct that."""
    secrets, arn = terraform.client(state, "secretsmanager"), settings_of_server(state)["MLFLOW_DB_SECRET_ARN"]
    secret = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"]) | {"username": server.MASTER}
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(secret))
    return str(secret["password"])


def settings_of_server(state: State) -> dict[str, str]:
    """Return the configuration that the user data of the applied MLflow server writes."""
    import base64

    instance = state.facts["outputs"]["mlflow"]["server_id"]
    answer = terraform.client(state, "ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
    script = base64.b64decode(answer["UserData"]["Value"]).decode()
    lines = script.partition("<<'ENV'\n")[2].partition("\nENV\n")[0].splitlines()
    return dict(line.split("=", 1) for line in lines)
