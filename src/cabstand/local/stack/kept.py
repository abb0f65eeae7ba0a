"""What `down --keep` leaves for the next `up`: the buckets' objects, the API keys and MLflow's database.

Everything else is applied again. Versions of objects, tasks, logs and alarms are not kept.
"""

from __future__ import annotations

from zipfile import ZipFile

from cabstand.local.stack import terraform
from cabstand.local.stack.state import State

NAMES = ("kept", "postgres", "mlflow.db")
# Terraform uploads these itself.
APPLIED = "setup/"
KEYS = "kept/keys.json"


def save(state: State) -> int:
    """Write the newest version of each object, and the hashes of the API keys, into files; return how many objects."""
    s3, number = terraform.client(state, "s3"), 0
    (state.folder / "kept").mkdir()
    for purpose, bucket in _buckets(state).items():
        with ZipFile(state.folder / f"kept/{purpose}.zip", "w") as archive:  # whatever characters its keys have
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                keys = [found["Key"] for found in page.get("Contents", []) if not found["Key"].startswith(APPLIED)]
                for name in keys:
                    with archive.open(name, "w", force_zip64=True) as file:
                        s3.download_fileobj(bucket, name, file)
                number += len(keys)
    secret = terraform.client(state, "secretsmanager").get_secret_value(SecretId=_keys_secret(state))["SecretString"]
    (state.folder / KEYS).write_text(secret, encoding="utf-8")
    return number


def restore(state: State) -> None:
    """Put back what was kept, if anything was."""
    s3 = terraform.client(state, "s3")
    for purpose, bucket in _buckets(state).items():
        file = state.folder / f"kept/{purpose}.zip"
        if file.is_file():
            with ZipFile(file) as archive:
                for name in archive.namelist():
                    with archive.open(name) as content:
                        s3.upload_fileobj(content, bucket, name)
    if (state.folder / KEYS).is_file():
        secret = (state.folder / KEYS).read_text(encoding="utf-8")
        terraform.client(state, "secretsmanager").put_secret_value(SecretId=_keys_secret(state), SecretString=secret)


def _keys_secret(state: State) -> str:
    return str(state.facts["outputs"]["keys_secret_arn"])


def _buckets(state: State) -> dict[str, str]:
    buckets: dict[str, str] = state.facts["outputs"]["buckets"]
    return buckets
