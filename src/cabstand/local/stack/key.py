"""The API key of whoever started the stack: its hash is stored where the function reads it."""

from __future__ import annotations

import json
import subprocess
import sys

from cabstand.errors import TaskError
from cabstand.local.stack import environment
from cabstand.local.stack.state import State


def make(state: State) -> str:
    """Create a key with `cabstand keys create`, in the account's secret, and return it."""
    given = environment.of(state) | {"CABSTAND_API_KEYS_SECRET": state.facts["outputs"]["keys_secret_arn"]}
    command = [sys.executable, "-m", "cabstand", "keys", "create", "local"]
    done = subprocess.run(command, env=given, cwd=state.folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TaskError(f"cannot be created: {done.stderr.strip()[-300:]}", where="API key")
    return str(json.loads(done.stdout.splitlines()[-1])["key"])
