#!/usr/bin/env bash
# mlflow-skinny 3.17.2 (SQLite store): a client with a tracking URI of its own registers a logged model from another store.
#
# Seen: MlflowClient("sqlite:///ours.db").create_model_version(name, "models:/MODEL_ID", model_id=MODEL_ID) looks the model up
# in the process's default store, not in the client's: "Logged model with ID ... not found", and a new mlflow.db in the
# working directory. With the artifact location as the source and with run_id, the same call succeeds.
#
# Why it matters: code that passes the URI to its clients, instead of setting a global one, works until it registers. cabstand
# gives the registry the artifact location and the run.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
unset MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI
mkdir "$work/here"
cd "$work/here"
"$work/venv/bin/python" - "$work" <<'PYTHON'
import logging
import sys
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
client = MlflowClient(f"sqlite:///{sys.argv[1]}/ours.db")
experiment = client.create_experiment("trips", artifact_location=f"{sys.argv[1]}/artifacts")
run = client.create_run(experiment).info.run_id
model = client.finalize_logged_model(client.create_logged_model(experiment, "eta", source_run_id=run).model_id, "READY")
client.create_registered_model("eta")
before = [path.name for path in Path().iterdir()]


def register(source):
    """Register the logged model from a source; return the new version's number, or the error."""
    try:
        return client.create_model_version("eta", source, run_id=run, model_id=model.model_id).version
    except MlflowException as error:
        return str(error).splitlines()[0].replace(model.model_id, "MODEL_ID")


by_id, after = register(f"models:/{model.model_id}"), [path.name for path in Path().iterdir()]
by_location = register(model.artifact_location)
print(f"by id: {by_id}; files here: {before} before, {after} after; by location: version {by_location}")
expected = "not found" in str(by_id) and before == [] and "mlflow.db" in after and str(by_location) == "1"
sys.exit(0 if expected else "The behaviour changed: expected that only the location is found.")
PYTHON
echo "Still so: the client asks another store."
