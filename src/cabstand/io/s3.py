"""Objects in S3. Use it through `cabstand.io.storage`.

The SDK's own `AWS_ENDPOINT_URL` points it at an emulator.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cabstand.errors import AbsentError, ConfigError, ConflictError, DataError, StorageError

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".csv": "text/csv; charset=utf-8",
    ".png": "image/png",
}


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError("no bucket in the address", where=uri, hint="write s3://bucket/prefix")
    return bucket, key


def etag(uri: str) -> str | None:
    """Return the object's ETag, or None if there is no object."""
    bucket, key = split(uri)
    with _errors(uri):
        try:
            return str(client().head_object(Bucket=bucket, Key=key)["ETag"])
        except client().exceptions.ClientError as error:
            if _status(error) == 404:
                return None
            raise


def exists(uri: str) -> bool:
    """Return whether there is an object (not a prefix) at `uri`."""
    return etag(uri) is not None


def read_tagged(uri: str, at_most: int | None = None) -> tuple[bytes, str]:
    """Return the object's bytes and ETag."""
    bucket, key = split(uri)
    with _errors(uri):
        return _content(client().get_object(Bucket=bucket, Key=key), at_most, uri)


def read_changed(uri: str, tag: str | None, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return the object's bytes and ETag, or None if it still has `tag`, by one conditional GET."""
    bucket, key = split(uri)
    condition = {} if tag is None else {"IfNoneMatch": tag}
    with _errors(uri):
        try:
            answer = client().get_object(Bucket=bucket, Key=key, **condition)
        except client().exceptions.ClientError as error:
            if _status(error) == 304:
                return None
            raise
        return _content(answer, at_most, uri)


def _content(answer: dict[str, Any], at_most: int | None, uri: str) -> tuple[bytes, str]:
    with closing(answer["Body"]) as body:
        if at_most is None:
            return bytes(body.read()), str(answer["ETag"])
        data = None
        if (size := answer.get("ContentLength")) is None:  # from a proxy that passes the body on in chunks
            size = len(data := body.read(at_most + 1))
        if size > at_most:
            raise DataError(f"{size:,} bytes, more than the {at_most:,} allowed", where=uri)
        return bytes(body.read() if data is None else data), str(answer["ETag"])


def write(uri: str, data: bytes, cache_control: str = "") -> None:
    """Put the object."""
    bucket, key = split(uri)
    with _errors(uri):
        client().put_object(Bucket=bucket, Key=key, Body=data, **_headers(key, cache_control))


def _content_type(key: str) -> dict[str, str]:
    """Return the type of what people open in a browser, which would otherwise only save it."""
    kind = _CONTENT_TYPES.get(Path(key).suffix)
    return {"ContentType": kind} if kind else {}


def _headers(key: str, cache_control: str) -> dict[str, str]:
    return _content_type(key) | ({"CacheControl": cache_control} if cache_control else {})


def put_if(uri: str, data: bytes, tag: str | None, cache_control: str = "") -> str:
    """Put the object if its ETag is still `tag` (None: if it is absent)."""
    bucket, key = split(uri)
    more = _headers(key, cache_control) | ({"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag})
    with _errors(uri):
        try:
            return str(client().put_object(Bucket=bucket, Key=key, Body=data, **more)["ETag"])
        except client().exceptions.ClientError as error:
            # S3 answers 404 to If-Match on a deleted key, and 409 to a write that raced with ours.
            if _status(error) in {404, 409, 412} and error.response["Error"]["Code"] != "NoSuchBucket":
                raise ConflictError("changed by another writer", where=uri, hint="read it again and retry") from error
            raise


def delete(uri: str) -> None:
    """Remove the object, if there is one."""
    bucket, key = split(uri)
    with _errors(uri):
        client().delete_object(Bucket=bucket, Key=key)


def list_under(prefix: str) -> list[str]:
    """Return the URIs of all objects below `prefix`, sorted."""
    bucket, key = split(prefix.rstrip("/") + "/")
    with _errors(prefix):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        return sorted(f"s3://{bucket}/{item['Key']}" for page in pages for item in page.get("Contents", []))


@contextmanager
def staged(uri: str) -> Iterator[Path]:
    """Give a local path to write to, and upload it when the block ends without an error."""
    bucket, key = split(uri)
    with tempfile.TemporaryDirectory(prefix="cabstand-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, Path(key).name or "object")
        yield path
        with _errors(uri):
            client().upload_file(str(path), bucket, key, ExtraArgs=_content_type(key))


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Download the object to a local path that lives as long as the block."""
    bucket, key = split(uri)
    with tempfile.TemporaryDirectory(prefix="cabstand-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, Path(key).name or "object")
        with _errors(uri):
            client().download_file(bucket, key, str(path))
        yield path


@lru_cache(maxsize=1)
def client() -> Any:
    """Return this process's S3 client, created on first use: importing the SDK alone takes a second."""
    import boto3
    from botocore.config import Config

    # The SDK waits a minute per attempt by default; a service that cannot reach S3 must fail sooner.
    retries = {"mode": "standard", "max_attempts": 5}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=5, read_timeout=20))


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        kind = AbsentError if details.get("Code") in {"NoSuchKey", "404"} else StorageError
        raise kind(f"S3 refused: {details.get('Message') or details.get('Code')}", where=uri) from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(f"S3 does not answer: {error}", where=uri) from error


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
