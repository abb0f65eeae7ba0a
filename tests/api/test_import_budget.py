"""What a cold start must not pay for, by name of module, not by seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import lambda_events
from bundles import point, small_bundle

FORBIDDEN = [
    "pandas",
    "sklearn",
    "mlflow",
    "scipy",
    "numba",
    "llvmlite",
    "pyarrow",
    "dask",
    "distributed",
    "onnx",
    "typer",
    "rich",
    "boto3",
    "botocore",
    "opentelemetry.sdk",
    "pydantic.v1",
    "uvicorn",
    "shapely",
    "cabstand.jobs",
    "cabstand.report",
    "cabstand.clustering.kernels",
]
CODE = """
import json, sys
sys.path.insert(0, "lambdas/api")
import handler
answer = handler.handler(json.loads(sys.argv[1]), None)
assert answer["statusCode"] == 200, answer
print(json.dumps(sorted(sys.modules)))
"""


def test_import_load_and_first_answer(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path)
    assert not [name for name in FORBIDDEN if name in loaded]
    assert len(loaded) < 650


def loaded_by(home: Path) -> set[str]:
    """Return the modules that a first answer has loaded."""
    small_bundle(home / "artifacts")
    point(home / "artifacts")
    sent = lambda_events.event("POST", "/v1/trip-duration/predict", lambda_events.ROW)
    env = {"CABSTAND_HOME": str(home), "CABSTAND_API_KEYS_REQUIRED": "false", "CABSTAND_PREDICTION_LOG": "off"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(sent)], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
