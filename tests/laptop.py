"""An account on this machine as a person uses it: by `cabstand local`, curl and MLflow's API."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cabstand.local.stack import status, terraform
from cabstand.local.stack.state import State, required

ROOT = Path(__file__).resolve().parents[1]
Command = subprocess.Popen[str]


def answer(command: str) -> str:
    return subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Laptop:
    """The account in a home."""

    home: Path
    given: Mapping[str, str] = field(default_factory=dict)  # settings in the environment of its commands

    def begin(self, *words: str) -> Command:
        """Start a command of `cabstand local`."""
        return subprocess.Popen(
            [sys.executable, "-m", "cabstand", "local", *words],
            env=os.environ | {"CABSTAND_HOME": str(self.home), **self.given},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def local(self, *words: str, code: int = 0, running: Command | None = None) -> dict[str, Any]:
        """Run a command to its end, or wait for one that was begun; print how long that took, and return its result."""
        begun = time.monotonic()
        done = running or self.begin(*words)
        out, error = done.communicate(timeout=1200)
        print(f"{time.monotonic() - begun:8.1f} s  cabstand local {shlex.join(words)}"[:160], flush=True)
        assert done.returncode == code, f"{out[-2000:]}{error[-6000:]}"
        return json.loads(out.splitlines()[-1]) if out else {}

    @property
    def state(self) -> State:
        return required(self.home / "local")

    @property
    def outputs(self) -> Any:
        return self.state.facts["outputs"]

    def client(self, service: str) -> Any:
        return terraform.client(self.state, service)

    def kill(self, name: str) -> None:
        """Kill a part as a lack of memory would."""
        os.kill(self.state.parts[name].pid, signal.SIGKILL)

    def has_recovered(self, name: str, restarts: int = 1) -> bool:
        """Whether a part was started again so often, and runs."""
        part = status.run(self.home / "local")["parts"][name]
        return part["restarts"] == restarts and part["running"]

    def put(self, name: str, content: bytes) -> str:
        """Put a file into the lake, where tasks may read it, and return its address."""
        lake = self.outputs["buckets"]["lake"]
        self.client("s3").put_object(Bucket=lake, Key=f"incoming/{name}", Body=content)
        return f"s3://{lake}/incoming/{name}"

    def in_lake(self, prefix: str) -> dict[str, bytes]:
        """Return the objects below a prefix of the lake, by key."""
        lake, s3 = self.outputs["buckets"]["lake"], self.client("s3")
        listed = s3.list_objects_v2(Bucket=lake, Prefix=prefix).get("Contents", [])
        return {one["Key"]: s3.get_object(Bucket=lake, Key=one["Key"])["Body"].read() for one in listed}

    def runs(self, wanted: str = "") -> list[dict[str, Any]]:
        """Return the runs of MLflow's server that a filter finds."""
        secret = self.client("secretsmanager").get_secret_value(SecretId="cabstand-dev/mlflow/tasks")["SecretString"]
        user = json.loads(secret)
        login = f"-u {user['username']}:{user['password']} -H 'content-type: application/json'"

        def ask(what: str, question: dict[str, Any]) -> Any:
            url = f"{self.state.address('mlflow')}/api/2.0/mlflow/{what}/search"
            return json.loads(answer(f"curl -sf {login} -d {shlex.quote(json.dumps(question))} {url}")).get(what, [])

        found = [one["experiment_id"] for one in ask("experiments", {"max_results": 100})]
        return list(ask("runs", {"experiment_ids": found, "filter": wanted})) if found else []

    def tasks(self, family: str) -> list[dict[str, Any]]:
        """Return the tasks of a definition that run or have ended within the hour, the oldest first."""
        return [one for one in status.tasks(self.state) if f"-{family}:" in one["task"]]

    def running(self, family: str) -> str | None:
        """Return the id of a task that runs."""
        return next((one["id"] for one in self.tasks(family) if one["status"] == "RUNNING"), None)

    def ask_service(self, path: str, content: Any = None, key: str = "") -> Any:
        """Return what the endpoint answers."""
        words = ["curl", "-s", f"{self.state.address('gateway')}{path}", "-H", f"x-api-key: {key}"]
        if content is not None:
            words += ["-H", "content-type: application/json", "-d", json.dumps(content)]
        return json.loads(answer(shlex.join(words)))

    def reads(self, name: str, text: str) -> bool:
        """Whether a part, task or function has logged a text."""
        done = self.begin("logs", name, "-n", "2000")
        return text in done.communicate(timeout=60)[0]
