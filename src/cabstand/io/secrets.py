"""Secrets Manager: one secret read or written by its ARN."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cabstand.errors import StorageError


def read(arn: str) -> str | None:
    """Return the secret's present value, or None while it has none.

    Raises
    ------
    StorageError
        If Secrets Manager refuses or does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(_client().get_secret_value(SecretId=arn)["SecretString"])
    except ClientError as error:
        told = error.response.get("Error", {})
        if told.get("Code") == "ResourceNotFoundException" and "staging label" in str(told.get("Message")):
            return None  # made by Terraform, not filled yet
        raise StorageError(f"Secrets Manager refused: {told.get('Code')}", where=arn) from error
    except BotoCoreError as error:
        raise StorageError(f"Secrets Manager does not answer: {type(error).__name__}", where=arn) from error


def write(arn: str, value: str) -> None:
    """Make `value` the secret's present value; the one before stays as its previous version."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client().put_secret_value(SecretId=arn, SecretString=value)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        raise StorageError(f"Secrets Manager refused: {code}", where=arn) from error
    except BotoCoreError as error:
        raise StorageError(f"Secrets Manager does not answer: {type(error).__name__}", where=arn) from error


@lru_cache(maxsize=1)
def _client() -> Any:
    import boto3
    from botocore.config import Config

    patience = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=2, read_timeout=3)
    return boto3.client("secretsmanager", config=patience)
