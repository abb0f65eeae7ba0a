"""Objects on a local disk. Use it through `cabstand.io.storage`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cabstand.errors import AbsentError, ConfigError, ConflictError, DataError, StorageError

TEMPORARY = ".part-"


def to_path(uri: str) -> Path:
    """Return the path of a local URI; another scheme raises a ConfigError."""
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
    """Return whether there is a file at `uri`."""
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
    found: list[Path] = []
    # Hidden files and folders are still being written, and may vanish while we look.
    for folder, folders, names in os.walk(to_path(prefix)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(str(path) for path in found if path.is_file())


@contextmanager
def staged(uri: str) -> Iterator[Path]:
    """Give a path to write to, and move the file to the target when the block ends without an error."""
    target = to_path(uri)
    with _errors(uri), hidden_folder(target.parent) as folder:
        path = folder / f"{TEMPORARY}{target.name}"  # hidden from searches of all subfolders too
        yield path
        sync(path)
        path.replace(target)


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Give the file's own path."""
    path = to_path(uri)
    if not path.is_file():
        raise AbsentError("no such file", where=uri)
    yield path


@contextmanager
def hidden_folder(parent: Path) -> Iterator[Path]:
    """Give an empty hidden folder in `parent`, removed afterwards; those of killed processes are removed too."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    path, lock = _locked_folder(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """Create a hidden folder, locked while this process lives: `_sweep` removes only unlocked ones."""
    while True:
        path = parent / f"{TEMPORARY}{uuid.uuid4().hex}"
        path.mkdir()
        with suppress(FileNotFoundError):  # another process may sweep it before the lock
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.is_dir():
                return path, lock
            os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the hidden folders of killed processes."""
    for path in parent.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine is alive."""
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
