"""The set-up script of the MLflow server: run for real, with PostgreSQL, S3 and secrets."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tracking_machine import ADMIN, ROOT, SCRIPT, TASKS, Machine

GUEST = {"username": "guest", "password": "guest-pass-for-test"}  # pragma: allowlist secret
BY_NAME = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=taxi"
slow = pytest.mark.slow


def call(machine: Machine, path: str, user: dict[str, str] | None = None, **options: object) -> tuple[int, bytes]:
    headers = dict(options.pop("headers", {}))  # type: ignore[call-overload]
    if user:
        headers["authorization"] = (
            "Basic " + base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        )
    body = options.pop("body", None)
    data = None if body is None else json.dumps(body).encode()
    headers["content-type"] = "application/json"
    method = str(options.pop("method", "GET" if data is None else "POST"))
    request = urllib.request.Request(machine.url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_until_up(machine: Machine) -> None:
    for _ in range(240):
        try:
            if call(machine, "/health")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError(machine.log.read_text()[-3000:])


def test_shell_scripts_are_clean() -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    scripts = [SCRIPT, ROOT / "containers/drop", ROOT / "containers/batch/slim"]
    done = subprocess.run([checker, *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_unknown_word_is_refused() -> None:
    done = subprocess.run(["bash", SCRIPT, "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


@pytest.mark.parametrize("given", ["a.internal,localhost", "a.internal,a.internal:5000,localhost,localhost:5000"])
def test_each_host_is_allowed_with_and_without_its_port(given: str) -> None:
    command = f"set -- health; source <(sed '/^case /,$d' '{SCRIPT}'); MLFLOW_ALLOWED_HOSTS='{given}' allowed_hosts"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert set(done.stdout.strip().split(",")) == {"a.internal", "a.internal:5000", "localhost", "localhost:5000"}


@pytest.mark.parametrize(("refusals", "code"), [(2, 0), (99, 1)])
def test_a_role_may_need_a_minute(tmp_path: Path, refusals: int, code: int) -> None:
    (tmp_path / "aws").write_text(
        f'#!/bin/sh\necho . >> {tmp_path}/calls\n[ "$(wc -l < {tmp_path}/calls)" -gt {refusals} ] && echo "$@"\n'
    )
    (tmp_path / "aws").chmod(0o755)
    command = f"set -euo pipefail; set -- health; source <(sed '/^case /,$d' '{SCRIPT}'); got=$(secret name); echo $got"
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MLFLOW_RETRY_SECONDS": "0"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == code, done.stderr
    assert ("secretsmanager get-secret-value --secret-id name" in done.stdout) == (code == 0)
    assert len((tmp_path / "calls").read_text().split()) == min(refusals + 1, 12)


class TestServer:
    """Needs the machine: minutes the first time."""

    pytestmark = slow

    def test_only_health_answers_without_credentials(self, machine: Machine) -> None:
        assert call(machine, "/health") == (200, b"OK")
        listing = Path(__file__).with_name("list_routes.py")
        python = machine.root / "opt/cabstand/mlflow/venv/bin/python"
        done = subprocess.run([python, listing], cwd=machine.state, capture_output=True, check=True, timeout=300)
        routes = json.loads(done.stdout)
        assert len(routes) > 150
        answered = {}
        for method, path in routes:
            status, _ = call(machine, path, method=method, body={} if method in {"POST", "PUT", "PATCH"} else None)
            if status not in {401, 403, 404, 405}:
                answered[f"{method} {path}"] = status
        assert set(answered) == {"GET /health"}, answered
        for path in (
            "/static-files/static/js/x.js",
            "/favicon.ico",
            "/healthy",
            "/version",
            "/api/3.0/mlflow/server-info",
        ):
            assert call(machine, path)[0] == 401, path
        wrong = ADMIN | {"password": "not-the-password"}  # pragma: allowlist secret
        assert call(machine, "/api/3.0/mlflow/server-info", wrong)[0] == 401
        assert call(machine, "/api/3.0/mlflow/server-info", TASKS)[0] == 200

    def test_a_wrong_host_is_refused(self, machine: Machine) -> None:
        path = "/api/2.0/mlflow/experiments/search?max_results=5"
        for host in (
            f"127.0.0.1:{machine.port}",
            "127.0.0.1",
            "mlflow.test.internal",
            f"mlflow.test.internal:{machine.port}",
        ):
            assert call(machine, path, ADMIN, headers={"host": host})[0] == 200, host
        for host in ("evil.example", f"localhost:{machine.port}", "10.0.0.1", "127.0.0.1:1"):
            assert call(machine, path, ADMIN, headers={"host": host})[0] == 403, host

    def test_what_is_dangerous_is_off(self, machine: Machine) -> None:
        words = Path(f"/proc/{machine.pid}/cmdline").read_bytes().decode().split("\0")
        environment = dict(
            line.split("=", 1) for line in Path(f"/proc/{machine.pid}/environ").read_text().split("\0") if "=" in line
        )
        assert "--app-name" in words
        assert "--gunicorn-opts" not in words
        for name in ("SERVER_ENABLE_JOB_EXECUTION", "ALLOW_PICKLE_DESERIALIZATION", "ALLOW_HTTP_REDIRECTS"):
            assert environment[f"MLFLOW_{name}"] == "false"
        assert environment["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"] == "false"
        ini = Path(environment["MLFLOW_AUTH_CONFIG_PATH"]).read_text()
        assert "default_permission = NO_PERMISSIONS" in ini
        assert "database_uri = postgresql" in ini

    def test_no_secret_on_disk_or_command_line(self, machine: Machine) -> None:
        secrets = [ADMIN["password"], ADMIN["flask_secret_key"], TASKS["password"], machine.postgres.password]
        kept = [path for path in machine.root.rglob("*") if path.is_file() and "site-packages" not in path.parts]
        kept += [path for path in machine.state.rglob("*") if path.is_file()]
        assert len(kept) > 5
        for path in kept:
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in secrets), path
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            assert not any(secret.encode() in line for secret in secrets[:3])

    def test_runs_artifacts_and_users_outlive_the_server(self, machine: Machine) -> None:
        run = self._log_a_run(machine)
        files = machine.client("s3").list_objects_v2(Bucket=machine.bucket, Prefix="mlflow/")["Contents"]
        assert any(item["Key"].endswith("note.txt") for item in files)
        self._a_stranger_sees_nothing(machine)

        # The database starts again under it: the server reconnects by itself.
        before = machine.pid
        machine.postgres.restart()
        self._run_is_there(machine, run)
        assert machine.pid == before

        # It hangs: the third miss restarts it. Meanwhile the administrator's secret was changed.
        new = ADMIN | {"password": "rotated-pass-for-test"}  # pragma: allowlist secret
        machine.client("secretsmanager").put_secret_value(SecretId=machine.arns["server"], SecretString=json.dumps(new))
        os.killpg(before, signal.SIGSTOP)
        for _ in range(3):
            assert machine.run("health").returncode == 0
        assert machine.pid != before
        wait_until_up(machine)
        self._run_is_there(machine, run)
        experiments = "/api/2.0/mlflow/experiments/search?max_results=5"
        assert call(machine, experiments, ADMIN)[0] == 401
        assert call(machine, experiments, new)[0] == 200

        # Replaced: everything but the installed packages is gone, and set up again.
        machine.systemctl("stop", "cabstand-mlflow.service")
        for path in (machine.root / "etc/systemd/system").iterdir():
            path.unlink()
        done = machine.run()
        assert done.returncode == 0, done.stderr
        assert "installing" not in done.stderr
        self._run_is_there(machine, run)
        assert call(machine, experiments, new)[0] == 200
        assert call(machine, BY_NAME, GUEST)[0] == 403  # known, and still without a right; a stranger gets 401

    def _log_a_run(self, machine: Machine) -> str:
        program = """
import mlflow, pathlib, sys
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("taxi")
with mlflow.start_run() as run:
    mlflow.log_metric("mae", 4.2)
    mlflow.log_text("kept", "note.txt")
    assert mlflow.get_artifact_uri().startswith("mlflow-artifacts:"), mlflow.get_artifact_uri()
print(run.info.run_id)
"""
        env = os.environ | {"MLFLOW_TRACKING_USERNAME": "tasks", "MLFLOW_TRACKING_PASSWORD": TASKS["password"]}
        done = subprocess.run(
            [sys.executable, "-c", program, machine.url],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def _run_is_there(self, machine: Machine, run: str) -> None:
        status, body = call(machine, f"/api/2.0/mlflow/runs/get?run_id={run}", TASKS)
        assert status == 200, body
        assert json.loads(body)["run"]["data"]["metrics"][0]["value"] == 4.2
        artifact = f"/get-artifact?path=note.txt&run_id={run}"
        assert call(machine, artifact, TASKS) == (200, b"kept")

    def _a_stranger_sees_nothing(self, machine: Machine) -> None:
        assert call(machine, "/api/2.0/mlflow/users/create", ADMIN, body=GUEST)[0] in {200, 201}
        assert call(machine, BY_NAME, TASKS)[0] == 200
        assert call(machine, BY_NAME, GUEST)[0] == 403
        assert call(machine, "/api/2.0/mlflow/users/create", TASKS, body=GUEST | {"username": "more"})[0] == 403
