"""Work files that workers hand each other: tables in parts, any part readable alone (Arrow IPC, one batch a part).

Whoever reads one finds it whole or not at all, and writing it again writes the same: a task that died is simply run
again, on any worker, and needs nothing of the dead one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from cabstand.io import storage
from cabstand.io.dask import chunks


def write(uri: str, schema: pa.Schema, parts: Iterable[Sequence[NDArray[Any]]]) -> None:
    """Write a table.

    Parameters
    ----------
    uri : str
        Where to.
    schema : pyarrow.Schema
        Its columns.
    parts : iterable of sequence of ndarray
        For each part its columns.
    """
    with storage.staged(uri) as path, pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for columns in parts:
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def read(uri: str, part: int) -> dict[str, NDArray[Any]]:
    """Return the columns of one part as NumPy arrays."""
    with chunks.reading(uri), chunks.opened(uri) as source, pa.ipc.open_file(source) as reader:
        batch = reader.get_batch(part)
        return {name: batch.column(name).to_numpy() for name in batch.schema.names}
