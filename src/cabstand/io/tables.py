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

CSV_TIMES = ("%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M:%S")
_NULLS = ("", "null", "NULL", "None")
Choose = Callable[[list[str]], Sequence[str]]


def expand(uri: str) -> list[str]:
    """Return the files that a URI, a glob or a folder names, sorted.

    Raises
    ------
    DataError
        If there is none.
    """
    if storage.is_s3(uri):
        found = _in_s3(uri)
    elif any(sign in uri for sign in "*?[") and not Path(uri).exists():
        found = sorted(path for path in glob.glob(uri, recursive=True) if Path(path).is_file())  # noqa: PTH207
    elif Path(uri).is_dir():
        found = [file for file in storage.list_under(uri) if file.endswith(".parquet")]
    else:
        found = [uri] if storage.exists(uri) else []
    if not found:
        raise DataError("no such file", where=uri)
    return found


def read(path: Path, uri: str, choose: Choose) -> pa.Table:
    """Read some columns of one file.

    Parameters
    ----------
    path : Path
        The file on this machine.
    uri : str
        What to call it in errors.
    choose : callable
        Takes the file's column names and returns those to read.

    Raises
    ------
    DataError
        If the file is empty, damaged, or neither Parquet nor CSV.
    """
    with path.open("rb") as handle:
        head = handle.read(1 << 12)
    if not head:
        raise DataError("the file is empty", where=uri)
    with _errors(uri):
        if head.startswith(b"PAR1"):
            return _read_parquet(path, uri, choose)
        return _read_csv(path, uri, choose)


def _read_parquet(path: Path, uri: str, choose: Choose) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError("truncated or damaged Parquet file", where=uri, hint="download it again") from error
    with file:
        return file.read(columns=list(choose(file.schema_arrow.names)))


def _read_csv(path: Path, uri: str, choose: Choose) -> pa.Table:
    names = _header(path, uri)
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


def _header(path: Path, uri: str) -> list[str]:
    with _stream(path) as stream:
        head = stream.read(1 << 16)
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    if b"\0" in head or not _is_text(line):
        raise DataError("neither Parquet nor CSV", where=uri)
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
        compressed = handle.read(2) == b"\x1f\x8b"
    with pa.input_stream(str(path), compression="gzip" if compressed else None) as stream:
        yield stream


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, EOFError) as error:
        text = str(error).split("\n")[0][:300]
        hint = "a stray comma? `cabstand ingest` repairs those in the TLC's files" if "Expected" in text else None
        raise DataError(f"cannot be read: {text}", where=uri, hint=hint) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise DataError(f"cannot be read: {str(error)[:300]}", where=uri) from error


def _in_s3(uri: str) -> list[str]:
    if not any(sign in uri for sign in "*?["):
        if not uri.endswith("/") and storage.exists(uri):
            return [uri]
        return [file for file in storage.list_under(uri) if file.endswith(".parquet")]
    fixed = uri[: min(uri.find(sign) for sign in "*?[" if sign in uri)].rsplit("/", 1)[0]
    return [file for file in storage.list_under(fixed) if fnmatchcase(file, uri)]
