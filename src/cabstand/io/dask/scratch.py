"""A folder for the work files of one run, removed when it ends; those of runs that were killed go with the next."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cabstand.errors import StorageError
from cabstand.io import disk, storage


@contextmanager
def folder(scratch: str) -> Iterator[str]:
    """Give the URI of a folder below `scratch`, for as long as the block runs.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    host = socket.gethostname()
    place = storage.join(scratch, f"work-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    if storage.is_s3(scratch):
        try:
            yield place
        finally:
            for uri in storage.list_under(place):
                storage.delete(uri)
        return
    for old in Path(scratch).glob(f"work-{host}-*"):
        if not disk.is_alive(int(old.name.split("-")[-2])):
            shutil.rmtree(old, ignore_errors=True)
    try:
        Path(place).mkdir(parents=True)
    except OSError as error:
        raise StorageError((error.strerror or str(error)).lower(), where=place) from error
    try:
        yield place
    finally:
        with suppress(OSError):
            shutil.rmtree(place)
