"""What the readers share: limits on a file, rows as they are in it, and errors about bad files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
RATIO_FROM = 64 * 2**20  # bytes; a file that unpacks to less is not checked for its ratio


@dataclass(frozen=True)
class Limits:
    """How large one file may be."""

    max_rows: int = 200_000_000  # the largest month the TLC has published holds 16 million yellow trips
    max_ratio: float = 200.0  # unpacked bytes per byte of the file, checked from `RATIO_FROM` on; trips reach 10

    def check_rows(self, n_rows: int) -> None:
        """Raise a DataError if `n_rows` are too many."""
        if n_rows > self.max_rows:
            raise DataError(f"more than {self.max_rows:,} rows", hint="raise CABSTAND_INGEST_MAX_ROWS")

    def check_unpacked(self, unpacked: int, on_disk: int) -> None:
        """Raise a DataError if `unpacked` bytes are too many for a file of `on_disk` bytes."""
        if unpacked > max(RATIO_FROM, self.max_ratio * on_disk):
            raise DataError(f"{on_disk:,} bytes unpack to {unpacked:,} or more", hint="refused as a decompression bomb")


class RawBatch(NamedTuple):
    """Rows with the source's own columns and types."""

    columns: pa.RecordBatch
    rows: npt.NDArray[np.int64]  # their indices in the source
    malformed: list[tuple[int, str]]  # index and text of each line that could not be split into columns


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of this type are strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


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
        stray = "a stray comma? `cabstand ingest` repairs those in the TLC's files"
        hint = stray if "Expected" in text else "is it truncated or damaged?"
        raise DataError(f"cannot be read: {text}", where=name, hint=hint) from error
