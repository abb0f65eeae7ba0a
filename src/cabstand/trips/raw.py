"""What the readers share: limits on a file, rows as they are in it, and errors about bad files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
NULLS = ("", "NULL", "null", "Null", "NA", "N/A", "n/a", "#N/A", "<NA>", "None", "NaT", "\\N")  # text without a value
RATIO_FROM = 64 * 2**20  # bytes; a file that unpacks to less is not checked for its ratio


@dataclass(frozen=True)
class Limits:
    """How large one file may be."""

    max_rows: int = 200_000_000  # the largest month the TLC has published holds 16 million yellow trips
    max_ratio: float = 200.0  # unpacked bytes per byte of the file, checked from `RATIO_FROM` on; trips reach 10
    max_rows_per_byte: float = 4.0  # of a Parquet file, checked from a million rows on; real trips need 15 bytes a row

    def check_rows(self, n_rows: int) -> None:
        """Raise a DataError if `n_rows` are too many."""
        if n_rows > self.max_rows:
            raise DataError(f"more than {self.max_rows:,} rows", hint="raise CABSTAND_INGEST_MAX_ROWS")

    def check_unpacked(self, unpacked: int, on_disk: int) -> None:
        """Raise a DataError if `unpacked` bytes are too many for a file of `on_disk` bytes."""
        if unpacked > max(RATIO_FROM, self.max_ratio * on_disk):
            raise DataError(f"{on_disk:,} bytes unpack to {unpacked:,} or more", hint="refused as a decompression bomb")


@contextmanager
def unpacked(path: Path, limits: Limits, *, gzipped: bool) -> Iterator[pa.NativeFile]:
    """Open a file that may be gzipped; reading more than its limits allow is a DataError."""
    if not gzipped:
        with pa.OSFile(str(path)) as plain:
            yield plain
        return
    with (
        pa.input_stream(str(path), compression="gzip") as stream,
        pa.PythonFile(_Counted(stream, path, limits), mode="r") as file,
    ):
        yield file


class _Counted:
    """A stream that refuses to unpack to more than its limits allow."""

    closed = False

    def __init__(self, stream: pa.NativeFile, path: Path, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self._on_disk, self._n_read = path.stat().st_size, 0

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._n_read += len(data)
        self._limits.check_unpacked(self._n_read, self._on_disk)
        return data

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return True


class RawBatch(NamedTuple):
    """Rows with the source's own columns and types."""

    columns: pa.RecordBatch
    rows: npt.NDArray[np.int64]  # their indices in the source
    malformed: list[tuple[int, str]]  # index and text of each line that could not be split into columns


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of this type are strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what Arrow and gzip raise about a bad file into a DataError of one line that names it."""
    try:
        yield
    except DataError as error:
        raise error if error.where else DataError(error.what, where=name, hint=error.hint) from error
    except (pa.ArrowException, EOFError, UnicodeDecodeError, OSError) as error:
        # Arrow raises OSError without a number for a corrupt page; with a number, the disk failed.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = str(error).split("\n")[0][:300]
        stray = "a stray comma? `cabstand ingest` puts such lines aside"
        hint = stray if "Expected" in text else "is it truncated or damaged?"
        raise DataError(f"cannot be read: {text}", where=name, hint=hint) from error
