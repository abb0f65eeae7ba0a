"""Objects at a URI: `s3://bucket/key`, `file:///path` or a plain path.

Writes are atomic: a file is written in a hidden folder and renamed; an S3 PUT is atomic by itself.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from cabstand.io import disk, s3


def join(base: str, *parts: str) -> str:
    """Return the URI of `parts` below `base`."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def is_s3(uri: str) -> bool:
    """Return whether `uri` names something in S3."""
    return uri.startswith("s3://")


def exists(uri: str) -> bool:
    """Return whether there is an object (not a folder or prefix) at `uri`."""
    return s3.exists(uri) if is_s3(uri) else disk.exists(uri)


def etag(uri: str) -> str | None:
    """Return the tag of the object's content, or None if there is no object."""
    return s3.etag(uri) if is_s3(uri) else disk.etag(uri)


def read(uri: str, at_most: int | None = None) -> bytes:
    """Return the object's bytes; AbsentError if there is none, DataError if it is larger than `at_most` bytes."""
    return read_tagged(uri, at_most)[0]


def read_tagged(uri: str, at_most: int | None = None) -> tuple[bytes, str]:
    """Return the object's bytes and their tag, for `put_if`."""
    return s3.read_tagged(uri, at_most) if is_s3(uri) else disk.read_tagged(uri, at_most)


def read_changed(uri: str, tag: str | None, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return the object's bytes and tag, or None if it still has `tag`: one conditional request."""
    return s3.read_changed(uri, tag, at_most) if is_s3(uri) else disk.read_changed(uri, tag, at_most)


def write(uri: str, data: bytes, *, cache_control: str = "") -> None:
    """Write the object, replacing what is there; `cache_control` tells browsers how long to keep it, in S3 only."""
    if is_s3(uri):
        s3.write(uri, data, cache_control)
    else:
        disk.write(uri, data)


def put_if(uri: str, data: bytes, tag: str | None, *, cache_control: str = "") -> str:
    """Write the object if its content still has `tag` (None: if absent), and return the new tag; else ConflictError."""
    return s3.put_if(uri, data, tag, cache_control) if is_s3(uri) else disk.put_if(uri, data, tag)


def delete(uri: str) -> None:
    """Remove the object, if there is one."""
    (s3 if is_s3(uri) else disk).delete(uri)


def list_under(prefix: str) -> list[str]:
    """Return the URIs of all complete objects below `prefix`, sorted."""
    return s3.list_under(prefix) if is_s3(prefix) else disk.list_under(prefix)


def staged(uri: str) -> AbstractContextManager[Path]:
    """Give a local path to write to, and publish the file at `uri` when the block ends without an error."""
    return s3.staged(uri) if is_s3(uri) else disk.staged(uri)


def fetched(uri: str) -> AbstractContextManager[Path]:
    """Give a local path of the object's content while the block runs."""
    return s3.fetched(uri) if is_s3(uri) else disk.fetched(uri)
