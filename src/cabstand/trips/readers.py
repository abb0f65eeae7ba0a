"""Open a file of trip records of any format and era, and read it in batches of the canonical schema.

Memory is bounded by the batch, not by the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError
from cabstand.trips import eras
from cabstand.trips.convert import to_canonical
from cabstand.trips.raw import GZIP_MAGIC, PARQUET_MAGIC, Limits, reading
from cabstand.trips.readers_csv import CsvFile
from cabstand.trips.readers_parquet import ParquetFile

BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Batch:
    """Rows in the canonical schema."""

    trips: pa.RecordBatch  # n rows; `row` rises
    unreadable: npt.NDArray[np.bool_]  # (n,), rows in which some value could not be read
    malformed: Sequence[tuple[int, str]] = ()  # index and text of each line that could not be split into columns

    @property
    def n_source_rows(self) -> int:
        """Rows of the source in this batch."""
        return int(self.trips.num_rows) + len(self.malformed)


@dataclass(frozen=True)
class Source:
    """An open file of trip records."""

    name: str  # for errors
    era: eras.Era
    file: CsvFile | ParquetFile

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows in order, about `size` at a time."""
        with reading(self.name):
            for raw in self.file.batches(list(self.era.columns.values()), size):
                trips, unreadable = to_canonical(raw.columns, self.era, raw.rows)
                yield Batch(trips, unreadable, raw.malformed)


def open_trips(path: Path, dataset: str, *, name: str = "", limits: Limits | None = None) -> Source:
    """Open a Parquet, CSV or gzipped CSV file of trip records; its content, not its name, decides which.

    `dataset` is one of `eras.DATASETS`, and `name` what errors call the file, by default its path.
    """
    name = name or str(path)
    with reading(name):
        file = _open(path, limits or Limits())
        return Source(name, eras.detect(file.names, dataset), file)


def _open(path: Path, limits: Limits) -> CsvFile | ParquetFile:
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise DataError("the file is empty")
    if head.startswith(PARQUET_MAGIC):
        return ParquetFile(path, limits)
    gzipped = head.startswith(GZIP_MAGIC)
    if not gzipped and b"\0" in head:
        raise DataError("neither Parquet nor CSV", hint="give a file of trip records as the TLC publishes them")
    return CsvFile(path, limits, gzipped=gzipped)
