"""Read a CSV file, plain or gzipped, in batches; lines that cannot be split into columns stay text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cabstand.errors import DataError
from cabstand.trips.csv_head import HEAD, read_head
from cabstand.trips.raw import NULLS, Limits, RawBatch, unpacked

_BYTES_PER_ROW = 80  # an estimate that turns a number of rows into a block size


class CsvFile:
    """A CSV file of trip records; a DataError if it has no header or no row."""

    n_rows: int | None = None  # only reading to the end tells

    def __init__(self, path: Path, limits: Limits, *, gzipped: bool) -> None:
        self._path, self._limits, self._gzipped = path, limits, gzipped
        with self._open() as stream:
            self._head = read_head(stream.read(HEAD))
        self.names = self._head.names

    def batches(self, wanted: list[str], size: int, numbers: Collection[str] = ()) -> Iterator[RawBatch]:
        """Yield `wanted` columns as text, about `size` rows at a time.

        Given the columns of `numbers`, these are numbers and the file is read faster, but a value that is none and a
        line that cannot be split are Arrow's errors.
        """
        lines = _Lines()
        with self._open() as stream:
            stream.read(self._head.start)
            for batch in self._arrow(stream, wanted, size, numbers, None if numbers else lines.refuse):
                yield lines.number(self._with_points(batch))
                self._limits.check_rows(lines.next_row)
        if lines.pending:
            yield lines.number(pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in wanted}))
        if lines.next_row == 0:
            raise DataError("holds no rows")

    def first_texts(self, name: str) -> list[str]:
        """Return the values of a column in the first rows."""
        at = self.names.index(name)
        return [row[at] for row in self._head.rows if at < len(row)]

    def _arrow(
        self, stream: pa.NativeFile, wanted: list[str], size: int, numbers: Collection[str], refuse: Any
    ) -> Iterator[pa.RecordBatch]:
        kinds = {name: pa.float64() if name in numbers else pa.string() for name in wanted}
        yield from pa_csv.open_csv(
            stream,
            # One thread: only then does Arrow number the lines it could not split.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=size * _BYTES_PER_ROW, column_names=self.names
            ),
            parse_options=pa_csv.ParseOptions(delimiter=self._head.delimiter, invalid_row_handler=refuse),
            convert_options=pa_csv.ConvertOptions(
                include_columns=wanted,
                column_types=kinds,
                strings_can_be_null=True,
                null_values=NULLS,
                decimal_point="," if self._head.decimal_comma else ".",
            ),
        )

    def _with_points(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Write the numbers among text with decimal points."""
        if not self._head.decimal_comma:
            return batch
        columns = [
            pc.replace_substring_regex(column, r"^(\s*-?\d+),(\d+\s*)$", r"\1.\2")
            if column.type == pa.string()
            else column
            for column in batch.columns
        ]
        return pa.RecordBatch.from_arrays(columns, batch.schema.names)

    def _open(self) -> AbstractContextManager[pa.NativeFile]:
        return unpacked(self._path, self._limits, gzipped=self._gzipped)


class _Lines:
    """Gives every row its index in the file, counting the lines that Arrow could not split."""

    def __init__(self) -> None:
        self.next_row = 0
        self.pending: list[tuple[int, str]] = []

    def refuse(self, row: pa_csv.InvalidRow) -> str:
        self.pending.append((row.number - 1, row.text))  # empty lines are not counted
        return "skip"

    def number(self, batch: pa.RecordBatch) -> RawBatch:
        bad = np.array([row for row, _ in self.pending], np.int64)
        rows = _free(self.next_row, batch.num_rows, bad)
        # A malformed line beyond this batch's last row belongs to a later batch.
        n_now = len(bad) if batch.num_rows == 0 else int(np.searchsorted(bad, rows[-1]))
        now, self.pending = self.pending[:n_now], self.pending[n_now:]
        self.next_row += batch.num_rows + n_now
        return RawBatch(batch, rows, now)


def _free(first: int, n: int, taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first n indices from `first` on that are not taken."""
    if not len(taken):
        return np.arange(first, first + n, dtype=np.int64)
    candidates = np.arange(first, first + n + len(taken), dtype=np.int64)
    return np.setdiff1d(candidates, taken, assume_unique=True)[:n]
