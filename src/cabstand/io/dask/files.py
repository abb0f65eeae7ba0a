"""Open files on a disk or in S3 for reading by Arrow, with its errors translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from cabstand.errors import DataError, StorageError
from cabstand.io import disk, storage


@contextmanager
def opened(uri: str) -> Iterator[pa.NativeFile]:
    """Open a file for random access while the block runs; Arrow's errors in the block become ours.

    DataError if the file is damaged or of another format, StorageError if it cannot be read. A DataError of the block
    that names no file names this one.
    """
    try:
        with _source(uri) as source:
            yield source
    except DataError as error:
        raise error if error.where else DataError(error.what, where=uri, hint=error.hint) from error
    except pa.ArrowInvalid as error:
        raise DataError(
            "not a Parquet file, or a damaged one", where=uri, hint="--engine dask reads Parquet"
        ) from error
    except OSError as error:
        what = str(error).split("\n")[0][:200]
        if error.errno is None and "AWS Error" not in what:  # how pyarrow reports content that it cannot decode
            raise DataError(f"damaged Parquet file: {what}", where=uri, hint="download it again") from error
        raise StorageError(what.lower(), where=uri) from error


@contextmanager
def parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; see `opened`."""
    with opened(uri) as source, pq.ParquetFile(source) as file:
        yield file


def _source(uri: str) -> pa.NativeFile:
    if storage.is_s3(uri):
        filesystem, path = pyarrow.fs.FileSystem.from_uri(uri)
        return filesystem.open_input_file(path)
    return pa.OSFile(str(disk.to_path(uri)))
