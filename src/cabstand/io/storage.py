"""Objects at a URI: `s3://bucket/key`, `file:///path` or a plain path.

Writes are atomic: a file is written under a temporary name and renamed; an S3 PUT is atomic by itself.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from cabstand.io import disk, s3


def join(base: str, *parts: str) -> str:
    """Return the URI of `parts` below `base`."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def is_s3(uri: str) -> bool:
    """Say whether `uri` names something in S3."""
    return uri.startswith("s3://")


def exists(uri: str) -> bool:
    """Say whether there is an object (not a folder or prefix) at `uri`."""
    return bool(_backend(uri).exists(uri))


def etag(uri: str) -> str | None:
    """Return the tag of the object's content, or None if there is no object."""
    tag: str | None = _backend(uri).etag(uri)
    return tag


def read(uri: str, at_most: int | None = None) -> bytes:
    """Return the object's bytes.

    Raises
    ------
    AbsentError
        If there is none.
    StorageError
        If it cannot be read.
    DataError
        If it is larger than `at_most` bytes; then nothing is read.
    """
    return read_tagged(uri, at_most)[0]


def read_tagged(uri: str, at_most: int | None = None) -> tuple[bytes, str]:
    """Return the object's bytes and their tag, for `put_if`."""
    content: tuple[bytes, str] = _backend(uri).read_tagged(uri, at_most)
    return content


def read_changed(uri: str, tag: str | None, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return the object's bytes and tag, or None if it still has `tag`: one conditional request."""
    changed: tuple[bytes, str] | None = _backend(uri).read_changed(uri, tag, at_most)
    return changed


def write(uri: str, data: bytes) -> None:
    """Write the object, replacing what is there."""
    _backend(uri).write(uri, data)


def put_if(uri: str, data: bytes, tag: str | None) -> str:
    """Write the object only if its content still has `tag` (None: only if absent), and return the new tag.

    Raises
    ------
    ConflictError
        If another writer was first.
    """
    return str(_backend(uri).put_if(uri, data, tag))


def delete(uri: str) -> None:
    """Remove the object, if there is one."""
    _backend(uri).delete(uri)


def list_under(prefix: str) -> list[str]:
    """Return the URIs of all complete objects below `prefix`, sorted."""
    found: list[str] = _backend(prefix).list_under(prefix)
    return found


def staged(uri: str) -> AbstractContextManager[Path]:
    """Give a local path to write to, and publish the file at `uri` when the block ends without an error."""
    block: AbstractContextManager[Path] = _backend(uri).staged(uri)
    return block


def fetched(uri: str) -> AbstractContextManager[Path]:
    """Give a local path of the object's content while the block runs."""
    block: AbstractContextManager[Path] = _backend(uri).fetched(uri)
    return block


def _backend(uri: str) -> ModuleType:
    return s3 if is_s3(uri) else disk
