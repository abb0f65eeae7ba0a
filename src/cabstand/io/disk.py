"""Objects on a local disk; call it through `cabstand.io.storage`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cabstand.errors import AbsentError, ConfigError, ConflictError, DataError, StorageError

TEMPORARY = ".part-"


def to_path(uri: str) -> Path:
    """Return the path of a local URI.

    Raises
    ------
    ConfigError
        If the scheme is unknown.
    """
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    if scheme not in {"", "file"}:
        raise ConfigError(f"unknown scheme {scheme}://", where=uri, hint="use a path, file:// or s3://")
    return Path(unquote(urlsplit(uri).path)) if scheme else Path(uri)


def etag(uri: str) -> str | None:
    """Return the tag of the file's content, or None if there is no file."""
    path = to_path(uri)
    with _errors(uri):
        return _tag(path.read_bytes()) if path.is_file() else None


def exists(uri: str) -> bool:
    """Say whether there is a file at `uri`."""
    return to_path(uri).is_file()


def read_tagged(uri: str, at_most: int | None = None) -> tuple[bytes, str]:
    """Return the file's bytes and their tag."""
    path = to_path(uri)
    with _errors(uri):
        if at_most is not None and (size := path.stat().st_size) > at_most:
            raise DataError(f"{size:,} bytes, more than the {at_most:,} allowed", where=uri)
        data = path.read_bytes()
    return data, _tag(data)


def read_changed(uri: str, tag: str | None, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return the file's bytes and tag, or None if it still has `tag`."""
    data, found = read_tagged(uri, at_most)
    return None if found == tag else (data, found)


def write(uri: str, data: bytes) -> None:
    """Write the file atomically."""
    with staged(uri) as path:
        path.write_bytes(data)


def put_if(uri: str, data: bytes, tag: str | None) -> str:
    """Write the file if its content still has `tag`, under its own lock."""
    path = to_path(uri)
    with _errors(uri), locked(path.with_name(f".{path.name}.lock")):
        if etag(uri) != tag:
            raise ConflictError("changed by another writer", where=uri, hint="read it again and retry")
        write(uri, data)
    return _tag(data)


def delete(uri: str) -> None:
    """Remove the file, if there is one."""
    with _errors(uri):
        to_path(uri).unlink(missing_ok=True)


def list_under(prefix: str) -> list[str]:
    """Return the paths of all files below `prefix`, sorted, temporary ones left out."""
    root = to_path(prefix)
    found = [path for path in root.rglob("*") if path.is_file()]
    # Hidden files and folders are still being written.
    return sorted(str(path) for path in found if not any(p.startswith(".") for p in path.relative_to(root).parts))


@contextmanager
def staged(uri: str) -> Iterator[Path]:
    """Give a path beside the target to write to, and rename it when the block ends without an error."""
    target = to_path(uri)
    with _errors(uri):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        path = target.with_name(f"{TEMPORARY}{_writer(os.getpid())}-{uuid.uuid4().hex}{target.suffix}")
        try:
            yield path
            sync(path)
            path.replace(target)
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Give the file's own path."""
    path = to_path(uri)
    if not path.is_file():
        raise AbsentError("no such file", where=uri)
    yield path


def _writer(pid: int) -> str:
    """Return the name of a process on this host, for temporary files."""
    host = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    return f"{host}-{pid}"


def _sweep(folder: Path) -> None:
    """Remove temporary files of killed writers on this host."""
    for path in folder.glob(f"{TEMPORARY}*"):
        fields = path.name.removeprefix(TEMPORARY).split("-")
        ours = len(fields) == 3 and fields[1].isdigit() and "-".join(fields[:2]) == _writer(int(fields[1]))
        if ours and not is_alive(int(fields[1])):
            path.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Say whether a process of this machine is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def sync(path: Path) -> None:
    """Write a file's or folder's changes through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Hold the lock of this file while the block runs."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise AbsentError("no such file", where=error.filename or uri) from error
    except OSError as error:
        raise StorageError((error.strerror or str(error)).lower(), where=uri) from error
