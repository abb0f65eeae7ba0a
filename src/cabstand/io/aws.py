"""The AWS SDK: one client for each service, paged listings, and SDK errors as TaskError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cabstand.errors import TaskError


@lru_cache(maxsize=32)
def client(service: str) -> Any:
    """Return the SDK client of a service; `AWS_ENDPOINT_URL` points it at an emulator."""
    import boto3
    from botocore.config import Config

    with refusals(service):
        return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}))


def items(service: str, operation: str, expression: str, **options: Any) -> Iterator[Any]:
    """Yield what a JMESPath expression finds in each page of an operation's answer.

    Parameters
    ----------
    service, operation : str
        For example `ec2` and `describe_volumes`.
    expression : str
        For example `Volumes[].VolumeId`.
    options
        Arguments of the operation.
    """
    import jmespath

    sdk = client(service)
    if sdk.can_paginate(operation):
        pages = sdk.get_paginator(operation).paginate(**options)
    else:
        pages = [getattr(sdk, operation)(**options)]
    for page in pages:
        found = jmespath.search(expression, page)
        yield from found if isinstance(found, list) else [] if found is None else [found]


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn SDK errors into a TaskError about `what`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        raise TaskError(f"AWS refused: {details.get('Message') or details.get('Code')}", where=what) from error
    except BotoCoreError as error:
        hint = "set AWS credentials and AWS_DEFAULT_REGION"
        raise TaskError(f"AWS did not answer: {error}", where=what, hint=hint) from error


def error_code(error: Exception) -> str:
    """Return the error code of an SDK error, empty if it has none."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
