"""Open a file of trip records of any format and era, and read it in batches of the canonical schema.

Memory is bounded by the batch, not by the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.trips import eras
from cabstand.trips.columns import BY_ALIAS, Named
from cabstand.trips.convert import to_canonical
from cabstand.trips.files import TableFile
from cabstand.trips.raw import Limits, reading
from cabstand.trips.times import shown_zones

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
    file: TableFile
    _zones: dict[str, set[str]] = field(default_factory=dict)

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows in order, about `size` at a time."""
        with reading(self.name):
            for raw in self.file.batches(list(self.era.columns.values()), size):
                trips, unreadable = to_canonical(raw.columns, self.era.columns, raw.rows, self._zones)
                yield Batch(trips, unreadable, raw.malformed)

    @property
    def times_converted(self) -> dict[str, str]:
        """Columns whose times had a zone in the batches read, each with its zones and the one they are in now."""
        return shown_zones(self._zones)

    @property
    def crs(self) -> str | None:
        """The CRS of the points, where the file has a column of points."""
        return self.file.crs_among(self.era.columns.values())


def open_trips(
    path: Path,
    dataset: str,
    *,
    name: str = "",
    limits: Limits | None = None,
    named: Named = BY_ALIAS,
) -> Source:
    """Open a file of trip records: Parquet, GeoParquet, GeoJSON or CSV, the last two plain or gzipped.

    `dataset` is one of `eras.DATASETS`, `name` what errors call the file, by default its path, and `named` are columns
    of pickups by other names than the known ones.
    """
    name = name or str(path)
    with reading(name):
        file = TableFile(path, limits or Limits())
        return Source(name, eras.detect(file.names, dataset, named), file)
