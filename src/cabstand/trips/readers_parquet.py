"""Read a Parquet file in batches; what its footer declares is checked before anything is unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.trips.raw import RATIO_FROM, Limits, RawBatch, is_text

_BUFFER = 2**20
_CONTAINER = 2**26  # bytes a Thrift string or list of the footer may claim
_ROWS_PER_BYTE = 4  # real trips need 15 bytes a row
_READ_KINDS = (
    is_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_timestamp,
    pa.types.is_null,
    pa.types.is_dictionary,
)


class ParquetFile:
    """A Parquet file of trip records; a DataError if it declares no rows, or more than the limit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        with self._open([]) as file:
            self._types = {field.name: field.type for field in file.schema_arrow}
            self.names: list[str] = list(file.schema_arrow.names)
            self.n_rows: int = file.metadata.num_rows
        limits.check_rows(self.n_rows)
        if self.n_rows == 0:
            raise DataError("holds no rows")

    def batches(self, wanted: list[str], size: int) -> Iterator[RawBatch]:
        """Yield `wanted` columns, `size` rows at a time."""
        first = 0
        # Text stays dictionary-encoded: a long string repeated a million times is held once.
        with self._open(self._text_among(wanted)) as file:
            self._check_size(file.metadata, set(wanted))
            for batch in file.iter_batches(batch_size=size, columns=wanted, use_threads=False):
                yield RawBatch(batch, np.arange(first, first + batch.num_rows, dtype=np.int64), [])
                first += batch.num_rows

    def _text_among(self, wanted: list[str]) -> list[str]:
        """Return those of `wanted` that hold text; refuse lists, blobs and the like before a page of them is read."""
        for name in wanted:
            if not any(is_kind(self._types[name]) for is_kind in _READ_KINDS):
                raise DataError(f"column {name} is of type {self._types[name]}", hint="not a file of trip records")
        return [name for name in wanted if is_text(self._types[name])]

    def _open(self, as_dictionary: list[str]) -> pq.ParquetFile:
        return pq.ParquetFile(
            self._path,
            buffer_size=_BUFFER,
            pre_buffer=False,
            read_dictionary=as_dictionary,
            thrift_string_size_limit=_CONTAINER,
            thrift_container_size_limit=_CONTAINER,
        )

    def _check_size(self, metadata: pq.FileMetaData, wanted: set[str]) -> None:
        """Refuse a file whose pages of the wanted columns claim more than its size can honestly hold."""
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        columns = [group.column(index) for group in groups for index in range(group.num_columns)]
        on_disk = self._path.stat().st_size
        unpacked = sum(column.total_uncompressed_size for column in columns if column.path_in_schema in wanted)
        self._limits.check_unpacked(unpacked, on_disk)
        if self.n_rows > max(RATIO_FROM // 64, _ROWS_PER_BYTE * on_disk):
            raise DataError(
                f"{on_disk:,} bytes claim to hold {self.n_rows:,} rows", hint="refused as a decompression bomb"
            )
