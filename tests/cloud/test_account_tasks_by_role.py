"""The code of the tasks and of the function against the applied account, with nothing but their roles' permissions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_account import Account, session_keys

pytestmark = pytest.mark.cloud

A = "123456789012"
FAST = """
from dataclasses import replace

from cabstand.modelling.problems import trip_duration


def candidates():
    return trip_duration.candidates()[:2]


PROBLEM = replace(trip_duration.PROBLEM, name="trip-duration-fast", candidates=candidates, coverage=None)
"""
ASK = """
import json
from cabstand.api.aws import lambda_handler
from lambda_events import event

handle = lambda_handler()
print(json.dumps([handle(event("GET", path), None)["statusCode"] for path in ("/readyz", "/v1/models")]))
"""
TRIPS = f"s3://cabstand-dev-lake-{A}/synthetic/trips/synth"
# In this order: each task reads what the ones before it wrote.
TASKS = [
    ("pipeline", "synth --trips 4000 --era zones --month 2024-01"),
    ("clustering", "synth --trips 2000 --era coordinates --month 2014-04"),
    (
        "clustering",
        f"compare --input {TRIPS}/2014-04.parquet --sizes 500 --repeats 1 --engines sequential --no-track",
    ),
    ("training", f"train --problem ./fast.py --input {TRIPS}/2024-01.parquet --no-track"),
    ("pipeline", "pipeline --dataset synth --month 2024-01 --problem ./fast.py --min-samples 40 --no-track"),
]


def environment(account: Account, folder: Path, role: str) -> dict[str, str]:
    """Return what ECS and Lambda would set, with a session of the role."""
    arn = f"arn:aws:iam::{A}:role/cabstand-dev-{role}"
    answer = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="work")
    return account.environment | {
        **session_keys(answer["Credentials"]),
        "CABSTAND_LAKE": f"s3://cabstand-dev-lake-{A}",
        "CABSTAND_ARTIFACTS": f"s3://cabstand-dev-artifacts-{A}/serving",
        "CABSTAND_HOME": str(folder / role),
        "PYTHONPATH": ":".join([str(Path(__file__).resolve().parents[1]), *sys.path]),
    }


def run(account: Account, folder: Path, role: str, *line: str) -> str:
    done = subprocess.run(
        [sys.executable, *line],
        env=environment(account, folder, role),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{role}: {' '.join(line)}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
    assert "not authorized" not in done.stdout + done.stderr
    return done.stdout


def test_tasks_and_function_need_no_more_than_their_roles(account: Account, tmp_path: Path) -> None:
    (tmp_path / "fast.py").write_text(FAST)
    for role, words in TASKS:
        run(account, tmp_path, f"task-{role}", "-m", "cabstand", *words.split())
    secret = account.client("secretsmanager").describe_secret(SecretId="cabstand-dev/api/keys")["ARN"]
    answered = run(
        account,
        tmp_path,
        "api-function",
        "-c",
        f"import os\nos.environ['CABSTAND_API_KEYS_SECRET'] = {secret!r}\n{ASK}",
    )
    assert json.loads(answered.splitlines()[-1]) == [200, 200]
