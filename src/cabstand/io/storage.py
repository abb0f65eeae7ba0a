"""Objects at a URI: `s3://bucket/key`, `file:///path` or a plain path.

A write is whole or absent: a file is written aside and renamed, an S3 PUT is atomic by itself.
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
    """Say whether an object (not a folder or prefix) stands at `uri`."""
    return bool(_keeper(uri).exists(uri))


def etag(uri: str) -> str | None:
    """Return the tag of the object's present content, or None where there is none."""
    tag: str | None = _keeper(uri).etag(uri)
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
        If it is of more than `at_most` bytes; none of them is read then.
    """
    return read_tagged(uri, at_most)[0]


def read_tagged(uri: str, at_most: int | None = None) -> tuple[bytes, str]:
    """Return the object's bytes and their tag, for `put_if`."""
    content: tuple[bytes, str] = _keeper(uri).read_tagged(uri, at_most)
    return content


def read_changed(uri: str, tag: str | None, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return the object's bytes and tag, or None if it still has `tag`: one conditional request."""
    changed: tuple[bytes, str] | None = _keeper(uri).read_changed(uri, tag, at_most)
    return changed


def write(uri: str, data: bytes) -> None:
    """Write the object whole, replacing what is there."""
    _keeper(uri).write(uri, data)


def put_if(uri: str, data: bytes, tag: str | None) -> str:
    """Write the object only if its content still has `tag` (None: only if absent), and return the new tag.

    Raises
    ------
    ConflictError
        If somebody else's write came first.
    """
    return str(_keeper(uri).put_if(uri, data, tag))


def delete(uri: str) -> None:
    """Remove the object; absent is fine."""
    _keeper(uri).delete(uri)


def list_under(prefix: str) -> list[str]:
    """Return the URIs of all objects below `prefix`, sorted, half-written ones left out."""
    found: list[str] = _keeper(prefix).list_under(prefix)
    return found


def staged(uri: str) -> AbstractContextManager[Path]:
    """Give a local path to write to; what stands there when the block ends well is published at `uri`.

    On an error nothing is published and the temporary file is removed.
    """
    block: AbstractContextManager[Path] = _keeper(uri).staged(uri)
    return block


def fetched(uri: str) -> AbstractContextManager[Path]:
    """Give a local path of the object's content for as long as the block runs."""
    block: AbstractContextManager[Path] = _keeper(uri).fetched(uri)
    return block


def _keeper(uri: str) -> ModuleType:
    return s3 if is_s3(uri) else disk
