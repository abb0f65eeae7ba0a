"""Open a table of any format that the readers know; its content, not its name, decides which."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from cabstand.errors import DataError
from cabstand.trips import geometry
from cabstand.trips.columns import is_geometry, is_located
from cabstand.trips.geometry import Geometry
from cabstand.trips.raw import GZIP_MAGIC, PARQUET_MAGIC, Limits, RawBatch, unpacked
from cabstand.trips.readers_csv import CsvFile
from cabstand.trips.readers_geojson import GeoJsonFile
from cabstand.trips.readers_parquet import ParquetFile

_HEAD = 4096
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or a workbook",
    b"SQLite format 3": "a GeoPackage or another SQLite database",
    b"ARROW1": "an Arrow (Feather) file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
}


class TableFile:
    """A table with its points as columns of latitudes and longitudes, whatever its format."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._file = _open(path, limits)
        self.n_rows = self._file.n_rows  # None where only reading to the end tells
        self.schema = self._file.schema if isinstance(self._file, ParquetFile) else pa.schema([])
        declared: list[Geometry] = getattr(self._file, "geometries", [])
        self.geometries = [*declared, *text_geometries(self._file.names, declared, self._file.first_texts)]
        self.names = table_names(self._file.names, self.geometries)

    def batches(self, wanted: list[str], size: int, numbers: Collection[str] = ()) -> Iterator[RawBatch]:
        """Yield `wanted` columns, about `size` rows at a time, with their own types or as text.

        `numbers` are columns to read as such, and fast, where the format allows: then a value that is none is an
        error of Arrow's.
        """
        read = geometry.physical(wanted, self.geometries)
        for raw in self._file.batches(read, size, set(numbers) & set(read)):
            yield raw._replace(columns=geometry.expand(raw.columns, self.geometries, int(raw.rows[:1].sum())))

    def crs_among(self, wanted: Collection[str]) -> str | None:
        """Return the CRS of the points among the columns `wanted`; None if no column holds points."""
        return next((one.crs_name for one in self.geometries if one.axes[0] in wanted), None)


def table_names(names: Sequence[str], geometries: Sequence[Geometry]) -> list[str]:
    """Return the names of a file's columns, with the axes of geometries in the place of these."""
    points = {one.column for one in geometries}
    return [*(name for name in names if name not in points), *(axis for one in geometries for axis in one.axes)]


def text_geometries(
    names: Sequence[str], declared: Sequence[Geometry], texts: Callable[[str], Sequence[str | None]]
) -> list[Geometry]:
    """Return the columns of text that hold points: those named for it, or any where coordinates have no columns.

    `texts` returns the first values of a column of text, and nothing of another column.
    """
    known, located = {one.column for one in declared}, is_located(names)
    named = [name for name in names if (is_geometry(name) or not located) and name not in known]
    return [one for name in named if (one := geometry.of_text(name, texts(name))) is not None]


def _open(path: Path, limits: Limits) -> CsvFile | GeoJsonFile | ParquetFile:
    with path.open("rb") as handle:
        head = handle.read(_HEAD)
    if not head:
        raise DataError("the file is empty")
    if head.startswith(PARQUET_MAGIC):
        return ParquetFile(path, limits)
    gzipped = head.startswith(GZIP_MAGIC)
    if gzipped:
        with unpacked(path, limits, gzipped=True) as stream:
            head = stream.read(_HEAD)
    other = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if other or b"\0" in head:
        what = f"neither Parquet nor CSV nor GeoJSON{f', but {other}' if other else ''}"
        raise DataError(what, hint="save it as Parquet, or as CSV in UTF-8")
    if head.lstrip(b"\xef\xbb\xbf\x1e \t\r\n").startswith((b"{", b"[")):
        return GeoJsonFile(path, limits, gzipped=gzipped)
    return CsvFile(path, limits, gzipped=gzipped)
