"""Parquet in batches; what the footer declares is checked before anything is unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError

CHECK_FROM = 64 * 2**20  # bytes; below that no ratio is looked at
_BUFFER = 2**20
_CONTAINER = 2**26  # bytes a Thrift string or list of the footer may claim
_ROWS_PER_BYTE = 4  # real trips need 15 bytes a row


@dataclass(frozen=True)
class RawBatch:
    """Rows with the source's own columns and types.

    Attributes
    ----------
    columns : pyarrow.RecordBatch
        n rows.
    rows : ndarray of int64, shape (n,)
        Their index in the source.
    malformed_rows : ndarray of int64, shape (m,)
    malformed_text : list of str
        Lines that could not be split.
    """

    columns: pa.RecordBatch
    rows: npt.NDArray[np.int64]
    malformed_rows: npt.NDArray[np.int64]
    malformed_text: list[str]


class ParquetFile:
    """A Parquet file of trip records.

    Parameters
    ----------
    path : Path
        The file.
    max_rows : int
        Most rows it may declare.
    max_ratio : float
        Most bytes that one byte of the file may unpack to.

    Raises
    ------
    DataError
        If it declares more.
    """

    def __init__(self, path: Path, *, max_rows: int, max_ratio: float) -> None:
        self.path = path
        self._max_ratio = max_ratio
        with self._open([]) as file:
            schema = file.schema_arrow
            self.n_rows: int | None = file.metadata.num_rows
            self.names: list[str] = list(schema.names)
            self._types = {field.name: field.type for field in schema}
        if (self.n_rows or 0) > max_rows:
            raise DataError(
                f"declares {self.n_rows:,} rows, more than {max_rows:,}", hint="see setting ingest_max_rows"
            )
        if self.n_rows == 0:
            raise DataError("holds no rows")

    def batches(self, wanted: list[str], size: int) -> Iterator[RawBatch]:
        """Yield `wanted` columns, `size` rows at a time."""
        none = np.empty(0, np.int64)
        first = 0
        text = self._text_among(wanted)
        # Text is kept as codes: one long string said a million times stays one string.
        with self._open(text) as file:
            self._check_size(file, wanted)
            for batch in file.iter_batches(batch_size=size, columns=wanted, use_threads=False):
                rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
                first += batch.num_rows
                yield RawBatch(batch, rows, none, [])

    def _text_among(self, wanted: list[str]) -> list[str]:
        """Return those of `wanted` that hold text; refuse lists, blobs and the like before a page of them is read."""
        for name in wanted:
            if not any(is_kind(self._types[name]) for is_kind in _READ_KINDS):
                raise DataError(f"column {name} is of type {self._types[name]}", hint="not a file of trip records")
        return [name for name in wanted if _is_text(self._types[name])]

    def _open(self, as_codes: list[str]) -> pq.ParquetFile:
        return pq.ParquetFile(
            self.path,
            buffer_size=_BUFFER,
            pre_buffer=False,
            read_dictionary=as_codes,
            thrift_string_size_limit=_CONTAINER,
            thrift_container_size_limit=_CONTAINER,
        )

    def _check_size(self, file: pq.ParquetFile, wanted: list[str]) -> None:
        """Refuse a file whose pages of the wanted columns claim more than its size can honestly stand for."""
        chosen = set(wanted)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        unpacked = sum(
            group.column(index).total_uncompressed_size
            for group in groups
            for index in range(group.num_columns)
            if group.column(index).path_in_schema in chosen
        )
        on_disk = self.path.stat().st_size
        if unpacked > max(CHECK_FROM, self._max_ratio * on_disk):
            raise DataError(
                f"{on_disk:,} bytes claim to unpack to {unpacked:,}", hint="refused as a decompression bomb"
            )
        rows = file.metadata.num_rows
        if rows > max(CHECK_FROM // 64, _ROWS_PER_BYTE * on_disk):
            raise DataError(f"{on_disk:,} bytes claim to hold {rows:,} rows", hint="refused as a decompression bomb")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


_READ_KINDS = (
    _is_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_timestamp,
    pa.types.is_null,
    pa.types.is_dictionary,
)
