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


def call(service: str, operation: str, *, missing_ok: bool = False, **request: Any) -> Any:
    """Call an operation, such as `stop_instances` of `ec2`, and return its answer.

    With `missing_ok` the answer is empty if AWS does not know the resource. An error message names the first argument
    in `request`, so let it identify the resource.
    """
    return next(_pages(service, operation, missing_ok, request, paged=False), {})


def items(service: str, operation: str, expression: str, *, missing_ok: bool = False, **request: Any) -> Iterator[Any]:
    """Yield what a JMESPath expression, for example `Volumes[].VolumeId`, finds in each page of an answer.

    The other parameters and errors are those of `call`.
    """
    import jmespath

    for page in _pages(service, operation, missing_ok, request, paged=True):
        found = jmespath.search(expression, page)
        yield from found if isinstance(found, list) else [] if found is None else [found]


def _pages(service: str, operation: str, missing_ok: bool, request: dict[str, Any], paged: bool) -> Iterator[Any]:
    subject = next((value for value in request.values() if isinstance(value, str)), "")
    sdk = client(service)
    with refusals(f"{service} {operation} {subject}".strip()):
        try:
            if paged and sdk.can_paginate(operation):
                yield from sdk.get_paginator(operation).paginate(**request)
            else:
                yield getattr(sdk, operation)(**request)
        except sdk.exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if not (missing_ok and (code == "404" or "NotFound" in code or "NoSuch" in code)):
                raise


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
