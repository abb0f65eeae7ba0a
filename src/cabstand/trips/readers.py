"""Open a file of trip records, whatever its format and era, and read it in batches of the canonical schema.

Memory is bounded by the batch, not by the file; what a small file may unpack to is bounded too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError
from cabstand.trips import eras, readers_csv, readers_parquet
from cabstand.trips.convert import to_canonical

BATCH_ROWS = 131_072
PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Attributes
    ----------
    max_rows : int
        Rows; the largest month the TLC has published holds 16 million yellow trips.
    max_ratio : float
        Bytes that a compressed byte may stand for, looked at once 64 MiB are unpacked; trips reach 10.
    """

    max_rows: int = 200_000_000
    max_ratio: float = 200.0


@dataclass(frozen=True)
class Batch:
    """One batch as it was read.

    Attributes
    ----------
    trips : pyarrow.RecordBatch
        n rows in the canonical schema; `row` rises.
    unreadable : ndarray of bool, shape (n,)
        Rows in which some value could not be read.
    malformed_rows : ndarray of int64, shape (m,)
        Index of each line that could not be split into columns.
    malformed_text : list of str
        Those lines.
    """

    trips: pa.RecordBatch
    unreadable: npt.NDArray[np.bool_]
    malformed_rows: npt.NDArray[np.int64]
    malformed_text: list[str]

    @property
    def n_source_rows(self) -> int:
        """Rows of the source that this batch stands for."""
        return int(self.trips.num_rows) + len(self.malformed_text)


@dataclass(frozen=True)
class Source:
    """An open file of trip records.

    Attributes
    ----------
    era : Era
        How its columns map to the canonical ones.
    n_rows : int or None
        Rows it declares; None where only reading tells.
    """

    path: Path
    name: str
    era: eras.Era
    n_rows: int | None
    _file: readers_csv.CsvFile | readers_parquet.ParquetFile

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows in order, each batch in the canonical schema.

        Raises
        ------
        DataError
            If the file proves truncated, corrupt or not what it says.
        """
        wanted = list(self.era.columns.values())
        with _reading(self.name):
            for raw in self._file.batches(wanted, size):
                trips, unreadable = to_canonical(raw.columns, self.era, raw.rows)
                yield Batch(trips, unreadable, raw.malformed_rows, raw.malformed_text)


def open_trips(path: Path, dataset: str, *, name: str = "", limits: Limits | None = None) -> Source:
    """Open a Parquet, CSV or gzipped CSV file of trip records; its content, not its name, says which.

    Parameters
    ----------
    path : Path
        A file on this machine.
    dataset : str
        `yellow`, `green` or `uber`.
    name : str
        What to call it in errors; the path by default.
    limits : Limits, optional
        What it may cost.

    Raises
    ------
    DataError
        If it is of another type, empty, truncated, too large, or lacks a needed column.
    """
    name = name or str(path)
    limits = limits or Limits()
    with _reading(name):
        file = _open(path, limits)
        return Source(path, name, eras.detect(file.names, dataset, where=name), file.n_rows, file)


def _open(path: Path, limits: Limits) -> readers_csv.CsvFile | readers_parquet.ParquetFile:
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise DataError("the file is empty")
    if head.startswith(PARQUET_MAGIC):
        return readers_parquet.ParquetFile(path, max_rows=limits.max_rows, max_ratio=limits.max_ratio)
    gzipped = head.startswith(GZIP_MAGIC)
    if not gzipped and b"\0" in head:
        raise DataError("neither Parquet nor CSV", hint="give a file of trip records as the TLC publishes them")
    return readers_csv.CsvFile(path, gzipped=gzipped, max_rows=limits.max_rows, max_ratio=limits.max_ratio)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what the libraries raise about a bad file into one line about it."""
    try:
        yield
    except DataError as error:
        raise error if error.where else DataError(error.what, where=name, hint=error.hint) from error
    except pa.ArrowException as error:
        raise DataError(f"cannot be read: {error}", where=name, hint="is it truncated?") from error
    except (EOFError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", where=name, hint="is it truncated?") from error
    except OSError as error:
        # Arrow raises plain OSError without a number for a corrupt page; with one it is the disk that speaks.
        if error.errno is not None:
            raise
        raise DataError(f"cannot be read: {error}", where=name, hint="is it truncated?") from error
