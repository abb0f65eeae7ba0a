"""Read tables at a URI, a glob or a folder: Parquet or CSV, plain or gzipped; content, not name, decides which."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.trips.raw import GZIP_MAGIC, PARQUET_MAGIC, reading

CSV_TIMES = ("%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M:%S")
_NULLS = ("", "null", "NULL", "None")
Choose = Callable[[list[str]], Sequence[str]]


def expand(uri: str) -> list[str]:
    """Return the files that a URI, a glob or a folder names, sorted; a DataError if there is none."""
    is_glob = any(sign in uri for sign in "*?[")
    if is_glob and storage.is_s3(uri):
        fixed = uri[: min(uri.find(sign) for sign in "*?[" if sign in uri)].rsplit("/", 1)[0]
        found = [file for file in storage.list_under(fixed) if fnmatchcase(file, uri)]
    elif is_glob and not Path(uri).exists():
        found = sorted(path for path in glob.glob(uri, recursive=True) if Path(path).is_file())  # noqa: PTH207
    elif not uri.endswith("/") and storage.exists(uri):
        found = [uri]
    else:
        found = [file for file in storage.list_under(uri) if file.endswith(".parquet")]
    if not found:
        raise DataError("no such file", where=uri)
    return found


def read(path: Path, uri: str, choose: Choose) -> pa.Table:
    """Read some columns of a local file, called `uri` in errors: `choose` picks them from the file's column names."""
    with reading(uri):
        with path.open("rb") as handle:
            head = handle.read(len(PARQUET_MAGIC))
        if not head:
            raise DataError("the file is empty")
        if head != PARQUET_MAGIC:
            return _read_csv(path, choose)
        with pq.ParquetFile(path) as file:
            return file.read(columns=list(choose(file.schema_arrow.names)))


def _read_csv(path: Path, choose: Choose) -> pa.Table:
    names = _header(path)
    options = pyarrow.csv.ConvertOptions(
        include_columns=list(choose(names)),
        null_values=_NULLS,
        strings_can_be_null=True,
        timestamp_parsers=[pyarrow.csv.ISO8601, *CSV_TIMES],
    )
    with _stream(path) as stream:
        return pyarrow.csv.read_csv(
            stream, read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1), convert_options=options
        )


def _header(path: Path) -> list[str]:
    with _stream(path) as stream:
        head = stream.read(1 << 16)
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    if b"\0" in head or not _is_text(line):
        raise DataError("neither Parquet nor CSV")
    names = next(csv.reader(io.StringIO(line.decode("utf-8-sig"))), [])
    return [name.strip() for name in names]


def _is_text(line: bytes) -> bool:
    try:
        return line.decode("utf-8-sig").isprintable()
    except UnicodeDecodeError:
        return False


@contextmanager
def _stream(path: Path) -> Iterator[pa.NativeFile]:
    with path.open("rb") as handle:
        compressed = handle.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    with pa.input_stream(str(path), compression="gzip" if compressed else None) as stream:
        yield stream
