"""CSV, plain or gzipped, in batches; every value comes as text, and a line that cannot be split is kept as it is."""

from __future__ import annotations

import csv
import gzip
import io
import os
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
from cabstand.trips.readers_parquet import CHECK_FROM, RawBatch

HEAD = 2**18  # bytes looked at to learn the header and the width of the rows
SNIFF_ROWS = 200
_BYTES_PER_ROW = 80  # a guess that turns a number of rows into a block


class CsvFile:
    """A CSV file of trip records with a header line.

    Parameters
    ----------
    path : Path
        The file.
    gzipped : bool
        Whether it is compressed.
    max_rows : int
        Most rows it may hold.
    max_ratio : float
        Most bytes that one compressed byte may unpack to.

    Raises
    ------
    DataError
        If it has no header or no row.
    """

    def __init__(self, path: Path, *, gzipped: bool, max_rows: int, max_ratio: float) -> None:
        self.path = path
        self.n_rows: int | None = None
        self._gzipped = gzipped
        self._max_rows = max_rows
        self._max_ratio = max_ratio
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
                if lines.next_row > self._max_rows:
                    raise DataError(f"holds more than {self._max_rows:,} rows", hint="see setting ingest_max_rows")
        if lines.pending:
            yield lines.number(_no_rows(wanted))
        if lines.next_row == 0:
            raise DataError("holds no rows")

    def _open(self) -> IO[bytes]:
        if not self._gzipped:
            return self.path.open("rb")  # the caller closes it
        raw = cast("IO[bytes]", gzip.open(self.path, "rb"))  # noqa: SIM115 - `_Bounded` closes it
        on_disk = self.path.stat().st_size
        return io.BufferedReader(_Bounded(raw, on_disk, max(CHECK_FROM, int(self._max_ratio * on_disk))), 2**20)


class _Bounded(io.RawIOBase):
    """An unpacking stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream: IO[bytes], on_disk: int, limit: int) -> None:
        self._stream, self._on_disk, self._left, self._limit = stream, on_disk, limit, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._on_disk:,} bytes unpack to more than {self._limit:,}", hint="refused as a decompression bomb"
            )
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


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
        # A line refused beyond this batch's last row belongs to a later one; there its turn comes.
        n_now = len(bad) if batch.num_rows == 0 else int(np.searchsorted(bad, rows[-1]))
        now, self.pending = self.pending[:n_now], self.pending[n_now:]
        self.next_row += batch.num_rows + n_now
        return RawBatch(batch, rows, bad[:n_now], [text for _, text in now])


def _free(first: int, n: int, taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    candidates = np.arange(first, first + n + len(taken), dtype=np.int64)
    return np.setdiff1d(candidates, taken, assume_unique=True)[:n]


def _no_rows(wanted: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in wanted})


def _names(head: bytes) -> list[str]:
    """Return the columns' names, with made-up ones where the rows are wider than the header (a stray comma)."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else the head's end merely cuts a character
            raise DataError("neither Parquet nor CSV: not UTF-8 text") from error
        text = head[: error.start].decode("utf-8-sig")
    whole = len(head) < HEAD or os.linesep in text
    rows = [row for row in csv.reader(io.StringIO(text)) if row][: SNIFF_ROWS + 1]
    if not rows or not whole:
        raise DataError("no header line")
    if len(rows) < 2:
        raise DataError("holds no rows")
    header = [name.strip() for name in rows[0]]
    widths = Counter(len(row) for row in (rows[1:-1] if len(head) == HEAD else rows[1:]))
    width = widths.most_common(1)[0][0] if widths else len(header)
    spare = [
        index
        for index in range(len(header), width)
        if not any(row[index].strip() for row in rows[1:] if len(row) == width)
    ]
    if len(spare) < width - len(header):  # the rows hold more values than the header names: which is which is unknown
        raise DataError(f"the header names {len(header)} columns, most rows hold {width}")
    return header + [surplus(index) for index in spare]
