"""Read a Parquet file in batches; what its footer declares is checked before anything is unpacked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.trips import geometry
from cabstand.trips.raw import RATIO_FROM, Limits, RawBatch, is_text

_BUFFER = 2**20
_CONTAINER = 2**26  # bytes a Thrift string or list of the footer may claim
MAX_POINT = 100  # letters of a text that may be a point
_READ_KINDS = (
    is_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_null,
    pa.types.is_dictionary,
)
_POINT_KINDS = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_struct,
    pa.types.is_fixed_size_list,
    lambda kind: isinstance(kind, pa.BaseExtensionType),
)


class ParquetFile:
    """A Parquet file of trip records; a DataError if it declares no rows, or more than the limit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        with self._open([]) as file:
            self.schema: pa.Schema = file.schema_arrow
            self._types = {field.name: field.type for field in file.schema_arrow}
            self.names: list[str] = list(file.schema_arrow.names)
            self.n_rows: int = file.metadata.num_rows
        self.geometries = geometry.of_schema(self.schema)
        limits.check_rows(self.n_rows)
        if self.n_rows == 0:
            raise DataError("holds no rows")

    def batches(self, wanted: list[str], size: int, numbers: Collection[str] = ()) -> Iterator[RawBatch]:
        """Yield `wanted` columns, `size` rows at a time; `numbers` make no difference."""
        first = 0
        # Text stays dictionary-encoded: a long string repeated a million times is held once.
        with self._open(self._text_among(wanted)) as file:
            self._check_size(file.metadata, set(wanted))
            for batch in file.iter_batches(batch_size=size, columns=wanted, use_threads=False):
                yield RawBatch(batch, np.arange(first, first + batch.num_rows, dtype=np.int64), [])
                first += batch.num_rows

    def first_texts(self, name: str) -> list[str | None]:
        """Return the values of a column of text in the first rows; none of another column."""
        with self._open([name] if is_text(self._types[name]) else []) as file:
            return first_texts(file, name)

    def _text_among(self, wanted: list[str]) -> list[str]:
        """Return those of `wanted` that hold text; refuse lists, blobs and the like before a page of them is read."""
        pointed = {one.column for one in self.geometries}
        for name in wanted:
            kinds = (*_READ_KINDS, *_POINT_KINDS) if name in pointed else _READ_KINDS
            if not any(is_kind(self._types[name]) for is_kind in kinds):
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
        unpacked = sum(
            column.total_uncompressed_size
            for column in columns
            if wanted & {column.path_in_schema, column.path_in_schema.split(".")[0]}
        )
        self._limits.check_unpacked(unpacked, on_disk)
        if self.n_rows > max(RATIO_FROM // 64, self._limits.max_rows_per_byte * on_disk):
            raise DataError(
                f"{on_disk:,} bytes claim to hold {self.n_rows:,} rows", hint="refused as a decompression bomb"
            )


def first_texts(file: pq.ParquetFile, name: str) -> list[str | None]:
    """Return the values of a column of text in the first rows of a file; none of another column."""
    kind = file.schema_arrow.field(name).type
    if not is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return []
    batch = next(file.iter_batches(batch_size=100, columns=[name], use_threads=False), None)
    texts = [] if batch is None else batch.column(0).to_pylist()
    return [None if text is None else text[:MAX_POINT] for text in texts]
