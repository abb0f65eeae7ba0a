#!/usr/bin/env bash
# mlflow-skinny 3.17.2 (SQLite store): a data set that is logged twice in one run keeps the context of the first time only.
#
# Seen: log_inputs with the context "training" and then "evaluation" for one data set (equal name and digest) leaves one input
# with "training"; so does one call with both. No error, no warning; another data set in the same run keeps its own context.
#
# Why it matters: a run that fits and evaluates on the same data looks as if it had never been evaluated on it. cabstand gives
# all its sources one context, "input"; to record both uses, log the second under another name or as a tag of the run.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
"$work/venv/bin/python" - "$work" <<'PYTHON'
import logging
import sys

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
client = MlflowClient(f"sqlite:///{sys.argv[1]}/mlflow.db")
experiment = client.create_experiment("trips", artifact_location=f"{sys.argv[1]}/artifacts")


def data(name, context):
    """Return an input of a run: a data set in a context."""
    dataset = Dataset(name, "0123456789abcdef", "http", f"https://example.com/{name}.csv")
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def kept(*calls):
    """Log the inputs of each call in a new run; return the names and contexts that the run then has."""
    run = client.create_run(experiment).info.run_id
    for inputs in calls:
        client.log_inputs(run, datasets=[data(*one) for one in inputs])
    found = client.get_run(run).inputs.dataset_inputs
    pairs = sorted((one.dataset.name, tag.value) for one in found for tag in one.tags)
    print(f"{' then '.join(map(str, calls))}: kept {pairs}")
    return pairs


TRAINING, EVALUATION, OTHER = ("trips", "training"), ("trips", "evaluation"), ("zones", "evaluation")
seen = [kept([TRAINING], [EVALUATION]), kept([TRAINING, EVALUATION]), kept([TRAINING], [OTHER])]
expected = [[TRAINING], [TRAINING], [TRAINING, OTHER]]
sys.exit(0 if seen == expected else f"The behaviour changed: expected {expected}.")
PYTHON
echo "Still so: the second context is lost."
