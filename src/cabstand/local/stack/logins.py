"""What a person logs in with: an API key, whose hash is where the function reads it, and MLflow's administrator."""

from __future__ import annotations

import json
import subprocess
import sys

from cabstand.errors import TaskError
from cabstand.local.stack import environment, terraform
from cabstand.local.stack.state import State


def api_key(state: State) -> str:
    """Create a key with `cabstand keys create`, in the account's secret, and return it."""
    given = environment.of(state) | {"CABSTAND_API_KEYS_SECRET": state.facts["outputs"]["keys_secret_arn"]}
    command = [sys.executable, "-m", "cabstand", "keys", "create", "local"]
    done = subprocess.run(command, env=given, cwd=state.folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TaskError(f"cannot be created: {done.stderr.strip()[-300:]}", where="API key")
    return str(json.loads(done.stdout.splitlines()[-1])["key"])


def mlflow_user(state: State) -> dict[str, str]:
    """Return name and password of MLflow's administrator."""
    arn = state.facts["outputs"]["mlflow"]["server_secret_arn"]
    secret = json.loads(terraform.client(state, "secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return {name: str(secret[name]) for name in ("username", "password")}
