"""What a soak runs on: the emulator, the packaged function behind the gateway, and faults between it and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import gateway_account
import lambda_runtime
from gateway_account import Account
from soak.faults import Faults, proxied
from soak.traffic import N_CLIENTS

PROBLEM, BUCKET = "trip-duration", "soak"
NAME = "cabstand-dev-api"  # of the function, as `cabstand deploy` knows it
REFRESH_S = 2  # of pointers and of keys
MONTHS = ("2024-01", "2024-02")  # a model of the first, which the second judges
LATER = ("2024-03", "2024-04")  # in which rides take longer
SLOWER = 1.6
N_TRIPS = 3_000
ENVIRONMENTS = 2 * N_CLIENTS  # so that in a canary neither version ends the other's


@dataclass
class Stand:
    """Everything that runs."""

    account: Account
    faults: Faults
    folder: Path
    url: str = ""  # the gateway's

    def cabstand(self, *words: str) -> dict[str, Any]:
        """Run a command beside the account, as a task would, and return its result."""
        with (self.folder / "jobs.log").open("ab") as log:
            done = subprocess.run(
                [sys.executable, "-m", "cabstand", *words], stdout=subprocess.PIPE, stderr=log, check=False
            )
        if done.returncode:
            raise RuntimeError(f"cabstand {' '.join(words)} failed: see {log.name}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def synthesise(self, month: str, slowdown: float = 1.0) -> None:
        """Put a month of synthetic rides into the lake."""
        words = ["--trips", str(N_TRIPS), "--era", "zones", "--month", month, "--seed", month[-2:]]
        self.cabstand("synth", *words, "--slowdown", str(slowdown))

    def make_key(self, name: str, known_in_s: float = 0.0) -> str:
        """Make an API key, and return it once the function knows it."""
        key: str = self.cabstand("keys", "create", name)["key"]
        time.sleep(known_in_s)
        return key

    def change_function(self) -> None:
        """Give the function another setting, for the next version."""
        functions = self.account.client("lambda")
        given = functions.get_function_configuration(FunctionName=NAME)["Environment"]["Variables"]
        again = {"Variables": given | {"CABSTAND_API_BURST": "101"}}
        functions.update_function_configuration(FunctionName=NAME, Environment=again)

    def gateway(self) -> psutil.Process:
        """Return the gateway's process; those of the function are below it."""
        found = psutil.Process().children()
        return next(one for one in found if "cabstand.local.gateway" in one.cmdline())

    def lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the function's JSON lines, each with the version of the function that wrote it."""
        pages = self.account.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=f"/aws/lambda/{NAME}"):
            for event in page["events"]:
                if event["message"].startswith("{"):
                    yield event["logStreamName"].partition("[")[2].partition("]")[0], json.loads(event["message"])


@contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """Start everything and train the first model; the gateway is the caller's to start."""
    _, version = lambda_runtime.choose_python()
    package = Path(f"{lambda_runtime.build_tree(version)}.zip").read_bytes()
    lambda_runtime.install_runtime(version)
    with gateway_account.account(NAME) as account, proxied(account.url, folder / "microburst.log") as faults:
        secret = account.client("secretsmanager").create_secret(Name="soak", SecretString=_no_keys())["ARN"]
        for bucket in (BUCKET, f"cabstand-state-{gateway_account.ACCOUNT}"):
            account.client("s3").create_bucket(Bucket=bucket)
        os.environ |= _environment(account.url, folder, secret)
        stand = Stand(account, faults, folder)
        _make_function(account, version, package, faults.url, secret)
        for month in MONTHS:
            stand.synthesise(month)
        stand.cabstand("pipeline", "--dataset", "synth", "--month", MONTHS[0], "--holdout-month", MONTHS[1])
        yield stand


@contextmanager
def serving(stand: Stand) -> Iterator[None]:
    """Run the gateway for the duration of the block; its end passes on the last lines of the function's log."""
    options = ("--cache", str(lambda_runtime.ROOT / "build"), "--environments", str(ENVIRONMENTS))
    try:
        with gateway_account.gateway(stand.account, stand.folder / "gateway", *options) as stand.url:
            yield
    finally:
        with (stand.folder / "function.log").open("w") as log:
            log.writelines(f"{json.dumps(line)}\n" for _, line in stand.lines() if "level" in line)


def _environment(url: str, folder: Path, secret: str) -> dict[str, str]:
    """Return the settings of this process and of the jobs it starts; only the function's S3 has faults."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",  # pragma: allowlist secret
        "AWS_DEFAULT_REGION": gateway_account.REGION,
        "CABSTAND_HOME": str(folder / "synthetic"),
        "CABSTAND_ARTIFACTS": f"s3://{BUCKET}/artifacts",
        "CABSTAND_API_KEYS_SECRET": secret,
    }


def _make_function(account: Account, python: str, package: bytes, s3: str, secret: str) -> None:
    variables = {
        "CABSTAND_API_KEYS_SECRET": secret,
        "CABSTAND_API_KEYS_REFRESH_S": str(REFRESH_S),
        "CABSTAND_API_REFRESH_S": str(REFRESH_S),
        "CABSTAND_ARTIFACTS": f"s3://{BUCKET}/artifacts",
        "CABSTAND_HOME": "/tmp/cabstand",
        "AWS_ENDPOINT_URL_S3": s3,
        "OMP_NUM_THREADS": "1",
    }
    settings = {"Timeout": 30, "MemorySize": 512, "Handler": "handler.handler"}
    account.make_function(python, package, Environment={"Variables": variables}, **settings)
    reads = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket", "secretsmanager:GetSecretValue"],
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    account.client("iam").put_role_policy(RoleName="small", PolicyName="reads", PolicyDocument=document)
    account.make_api("$default")


def _no_keys() -> str:
    from cabstand.io import keys

    return keys.dump([])
