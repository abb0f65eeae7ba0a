"""Secrets Manager: read or write one secret by its ARN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cabstand.errors import ConflictError, StorageError

PROPOSED = "CABSTAND_PROPOSED"  # staging label of a value that is written but not current


def read(arn: str) -> tuple[str, str] | None:
    """Return the secret's current text (empty if it is binary) and the id of its version, or None while it has none."""
    with _errors(arn):
        try:
            found = client().get_secret_value(SecretId=arn)
        except client().exceptions.ClientError as error:
            reason = error.response.get("Error", {})
            if reason.get("Code") == "ResourceNotFoundException" and "staging label" in str(reason.get("Message")):
                return None  # made by Terraform, and still empty
            raise
    return str(found.get("SecretString", "")), str(found["VersionId"])


def put_if(arn: str, value: str, version: str | None) -> None:
    """Make `value` the secret's current value if `version` still is (None: if it has none).

    Secrets Manager has no conditional write, but it moves the label of the current version only away from the version
    that the request names. The version before becomes the previous one. If another writer was faster, a ConflictError
    is raised.
    """
    with _errors(arn):
        ours = client().put_secret_value(SecretId=arn, SecretString=value, VersionStages=[PROPOSED])
        # The very first version becomes current at once, whatever its label.
        first = version is None and "AWSCURRENT" in ours["VersionStages"]
        won = first or (version is not None and move_label(arn, version, ours["VersionId"]))
    if not won:
        raise ConflictError("changed by another writer", where=arn, hint="run it again")


def move_label(arn: str, before: str, after: str) -> bool:
    """Move the label of the current version; return whether `after` has it."""
    try:
        client().update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId=before, MoveToVersionId=after
        )
    except client().exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") != "InvalidParameterException":
            raise
        # Moved by another writer, or by our own request, whose answer was lost.
        return bool(client().get_secret_value(SecretId=arn)["VersionId"] == after)
    return True


@contextmanager
def _errors(arn: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        raise StorageError(f"Secrets Manager refused: {code}", where=arn) from error
    except BotoCoreError as error:
        raise StorageError(f"Secrets Manager does not answer: {type(error).__name__}", where=arn) from error


@lru_cache(maxsize=1)
def client() -> Any:
    """Return the client of this process, which gives up after a few seconds."""
    import boto3
    from botocore.config import Config

    patience = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=2, read_timeout=3)
    return boto3.client("secretsmanager", config=patience)
