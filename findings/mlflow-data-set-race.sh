#!/usr/bin/env bash
# mlflow-skinny 3.17.2 (SQLite store): of runs that log one new data set at the same moment, some fail.
#
# Seen: log_inputs looks for the data set and then inserts it, and whoever is second gets `UNIQUE constraint failed` as an
# MlflowException: 36 of 200 calls, eight at a time. Experiments and model versions, which race in the same way, are answered
# with RESOURCE_ALREADY_EXISTS or tried again inside MLflow. A second call of log_inputs succeeds.
#
# Why it matters: jobs of one schedule often start together on one file. cabstand calls log_inputs again after this error.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
"$work/venv/bin/python" - "$work" <<'PYTHON'
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
client = MlflowClient(f"sqlite:///{sys.argv[1]}/mlflow.db")
experiment = client.create_experiment("trips", artifact_location=f"{sys.argv[1]}/artifacts")
RUNS, ROUNDS = 8, 25
together = Barrier(RUNS)


def log(run, name):
    """Log a data set to a run at the same time as the others; return the error, if any, and that of a second call."""
    data = [DatasetInput(Dataset(name, "0123456789abcdef", "http", f"https://example.com/{name}.csv"))]
    errors = []
    together.wait(60)
    for _ in range(2):
        try:
            client.log_inputs(run, datasets=data)
            errors.append(None)
        except MlflowException as error:
            errors.append(str(error).splitlines()[0])
        together.wait(60)
    return errors


seen = []
with ThreadPoolExecutor(RUNS) as pool:
    for number in range(ROUNDS):
        runs = [client.create_run(experiment).info.run_id for _ in range(RUNS)]
        seen += pool.map(log, runs, [f"month-{number}"] * RUNS)
first, second = zip(*seen)
refused = [error for error in first if error]
print(f"{len(refused)} of {len(first)} first calls failed, {sum(map(bool, second))} second calls; such as: {refused[:1]}")
expected = refused and all("UNIQUE constraint failed: datasets" in error for error in refused) and not any(second)
sys.exit(0 if expected else "The behaviour changed: expected failures of the first call alone.")
PYTHON
echo "Still so: the race is an error to the caller."
