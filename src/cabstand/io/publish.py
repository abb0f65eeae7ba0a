"""Output folders that appear complete or not at all.

On a disk the files are written into a hidden folder beside the target, which then takes the target's name. In S3, which
has no folders, they are uploaded with the manifest last, and a reader trusts what a manifest names.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cabstand.errors import ConfigError, ConflictError, DataError, StorageError
from cabstand.io import disk, storage

MANIFEST = "manifest.json"


def manifest(uri: str, schema_version: int, name: str = MANIFEST) -> dict[str, Any] | None:
    """Return the manifest of a published folder, or None where there is none; a DataError if it cannot be used."""
    where = storage.join(uri, name)
    if not storage.exists(where):
        return None
    try:
        content = json.loads(storage.read(where))
        version = content["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("not a manifest", where=where) from error
    if not isinstance(version, int) or not 1 <= version <= schema_version:
        raise DataError(f"schema version {version} is not supported", where=where, hint="upgrade cabstand")
    return dict(content)


@contextmanager
def folder(uri: str, name: str = MANIFEST, *, replace: bool = True) -> Iterator[Path]:
    """Yield an empty local folder, and publish its content at `uri` when the block ends without an error.

    The file `name` marks the folder as complete: it appears last, and a folder without it is never replaced (a
    ConfigError); one with it is, unless `replace` is false (a ConflictError).
    """
    with _errors(uri):
        block = _to_s3(uri, name, replace) if storage.is_s3(uri) else _to_disk(disk.to_path(uri), name, replace)
        with block as path:
            yield path


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON; NaN, which JSON does not have, is refused."""
    path.write_text(json.dumps(content, indent=1, default=str, allow_nan=False) + "\n")


@contextmanager
def _to_disk(target: Path, name: str, replace: bool) -> Iterator[Path]:
    if target.exists() and not (target / name).is_file() and any(target.iterdir()):
        raise ConfigError("exists and was not made by cabstand", where=target, hint="choose another folder")
    with disk.hidden_folder(target.parent) as stage:
        new = stage / "new"
        new.mkdir()
        yield new
        for path in new.rglob("*"):
            disk.sync(path)
        if replace:
            with suppress(FileNotFoundError):
                # A folder cannot be renamed over a full one. Between the renames there is none, never a part of one.
                target.rename(stage / "old")
        try:
            new.rename(target)
        except OSError as error:
            if not (target / name).is_file():
                raise
            if not replace:
                raise _taken(target) from error
            # Else another process published the same meanwhile.
        disk.sync(target.parent)


@contextmanager
def _to_s3(uri: str, name: str, replace: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cabstand-") as scratch:
        stage = Path(scratch)
        yield stage
        if not replace and storage.exists(storage.join(uri, name)):
            raise _taken(uri)
        files = sorted(path for path in stage.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == name):
            to = storage.join(uri, path.relative_to(stage).as_posix())
            if path.name == name and not replace:
                storage.put_if(to, path.read_bytes(), None)
                continue
            with storage.staged(to) as copy:
                shutil.copyfile(path, copy)


def _taken(where: object) -> ConflictError:
    return ConflictError("exists already, and never changes", where=where)


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # pyarrow's strerror is long; the one of the number is short.
        what = os.strerror(error.errno).lower() if error.errno else str(error)
        raise StorageError(what, where=uri, hint="nothing was published") from error
