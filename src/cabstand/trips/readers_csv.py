"""Read a CSV file, plain or gzipped, in batches of text; lines that cannot be split into columns stay text."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from cabstand.errors import DataError
from cabstand.trips.eras import surplus
from cabstand.trips.raw import Limits, RawBatch

HEAD = 2**18  # bytes read to learn the header and the width of the rows
SNIFF_ROWS = 200
_BYTES_PER_ROW = 80  # an estimate that turns a number of rows into a block size


class CsvFile:
    """A CSV file of trip records; a DataError if it has no header or no row."""

    n_rows: int | None = None  # only reading to the end tells

    def __init__(self, path: Path, limits: Limits, *, gzipped: bool) -> None:
        self._path, self._limits, self._gzipped = path, limits, gzipped
        with self._open() as stream:
            self.names = _names(stream.read(HEAD))

    def batches(self, wanted: list[str], size: int) -> Iterator[RawBatch]:
        """Yield `wanted` columns as text, about `size` rows at a time."""
        lines = _Lines()
        with self._open() as stream:
            reader = pa_csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                # One thread: only then does Arrow number the lines it could not split.
                read_options=pa_csv.ReadOptions(
                    use_threads=False, block_size=size * _BYTES_PER_ROW, column_names=self.names, skip_rows=1
                ),
                parse_options=pa_csv.ParseOptions(invalid_row_handler=lines.refuse),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=True,
                    null_values=["", "NULL", "null", "NA", "N/A", "\\N"],
                ),
            )
            for batch in reader:
                yield lines.number(batch)
                self._limits.check_rows(lines.next_row)
        if lines.pending:
            yield lines.number(pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in wanted}))
        if lines.next_row == 0:
            raise DataError("holds no rows")

    def _open(self) -> IO[bytes]:
        return cast("IO[bytes]", _Gzip(self._path, self._limits)) if self._gzipped else self._path.open("rb")


class _Gzip(gzip.GzipFile):
    """A gzip file that refuses to unpack to more than its limits allow."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path, "rb")
        self._limits = limits
        self._on_disk = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._limits.check_unpacked(self.tell(), self._on_disk)
        return data


class _Lines:
    """Gives every row its index in the file, counting the lines that Arrow could not split."""

    def __init__(self) -> None:
        self.next_row = 0
        self.pending: list[tuple[int, str]] = []

    def refuse(self, row: pa_csv.InvalidRow) -> str:
        self.pending.append((row.number - 2, row.text))  # line 1 is the header; empty lines are not counted
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
    candidates = np.arange(first, first + n + len(taken), dtype=np.int64)
    return np.setdiff1d(candidates, taken, assume_unique=True)[:n]


def _names(head: bytes) -> list[str]:
    """Return the column names, with made-up ones where stray commas make the rows wider than the header."""
    text = _decode(head)
    rows = [row for row in csv.reader(io.StringIO(text)) if row][: SNIFF_ROWS + 1]
    if not rows or (len(head) == HEAD and "\n" not in text):
        raise DataError("no header line")
    if len(rows) < 2:
        raise DataError("holds no rows")
    header = [name.strip() for name in rows[0]]
    widths = Counter(len(row) for row in (rows[1:-1] if len(head) == HEAD else rows[1:]))
    width = widths.most_common(1)[0][0] if widths else len(header)
    unnamed = range(len(header), width)
    if any(row[index].strip() for row in rows[1:] if len(row) == width for index in unnamed):
        raise DataError(f"the header names {len(header)} columns, most rows hold {width}")
    return header + [surplus(index) for index in unnamed]


def _decode(head: bytes) -> str:
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 4:  # the cut after the head may split a character
            return head[: error.start].decode("utf-8-sig")
        raise DataError("neither Parquet nor CSV: not UTF-8 text") from error
