"""The AWS SDK: one client a service, and its refusals as the product's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cabstand.errors import TaskError


@lru_cache(maxsize=32)
def client(service: str) -> Any:
    """Return this process's SDK client; `AWS_ENDPOINT_URL` points it at an emulator."""
    import boto3
    from botocore.config import Config

    with refusals(service):
        return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}))


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what AWS answers into a TaskError about `what`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        raise TaskError(f"AWS refused: {told.get('Message') or told.get('Code')}", where=what) from error
    except BotoCoreError as error:
        hint = "set AWS credentials and AWS_DEFAULT_REGION"
        raise TaskError(f"AWS does not answer: {error}", where=what, hint=hint) from error


def error_code(error: Exception) -> str:
    """Return the code in an SDK error, or nothing."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
