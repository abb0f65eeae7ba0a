"""Files that the workers of one run exchange, and the folder that holds them.

A file is a table in parts, each readable alone (Arrow IPC, one record batch a part). A reader finds a file whole or not
at all, and writing it again writes the same: a task that died is simply run again on any worker.
"""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from cabstand.errors import StorageError
from cabstand.io import disk, storage
from cabstand.io.dask.files import opened


def write(uri: str, schema: pa.Schema, parts: Iterable[Sequence[NDArray[Any]]]) -> None:
    """Write a table, given the columns of each part."""
    with storage.staged(uri) as path, pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for columns in parts:
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def read(uri: str, part: int) -> dict[str, NDArray[Any]]:
    """Return the columns of one part as NumPy arrays."""
    with opened(uri) as source, pa.ipc.open_file(source) as reader:
        batch = reader.get_batch(part)
        return {name: batch.column(name).to_numpy() for name in batch.schema.names}


@contextmanager
def folder(scratch: str) -> Iterator[str]:
    """Create a folder below `scratch`, yield its URI, and remove it when the block ends.

    On a disk, the folders of killed runs of this machine are removed as well.
    """
    host = socket.gethostname()
    uri = storage.join(scratch, f"work-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    if storage.is_s3(scratch):
        try:
            yield uri
        finally:
            for file in storage.list_under(uri):
                storage.delete(file)
        return
    for old in Path(scratch).glob(f"work-{host}-*"):
        if not disk.is_alive(int(old.name.split("-")[-2])):
            shutil.rmtree(old, ignore_errors=True)
    try:
        Path(uri).mkdir(parents=True)
    except OSError as error:
        raise StorageError((error.strerror or str(error)).lower(), where=uri) from error
    try:
        yield uri
    finally:
        with suppress(OSError):
            shutil.rmtree(uri)
