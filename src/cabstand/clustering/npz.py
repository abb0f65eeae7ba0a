"""Read and write arrays in .npz files, which need not be trusted and are the same bytes for the same arrays.

`numpy.load` believes the file: 130 kB may unpack to 128 MiB. Here names, types, dimensions and sizes must be those that
the reader expects, they are checked before anything is unpacked, and nothing is pickled.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cabstand.errors import DataError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SAMPLE, _PIECE = 1 << 16, 1 << 20  # bytes


@dataclass(frozen=True)
class Stream:
    """An array that is never whole in memory: its shape and type, and its rows in parts."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: Iterable[NDArray[Any]]


def write(file: str | Path | IO[bytes], arrays: Mapping[str, NDArray[Any] | Stream]) -> None:
    """Write arrays of plain numbers as an .npz file; DataError if a stream holds more or less than it declares.

    An array is compressed if its beginning shrinks to less than half: what shrinks less takes long.
    """
    with zipfile.ZipFile(file, "w", compresslevel=1) as archive:
        for name, array in arrays.items():
            stream = array if isinstance(array, Stream) else Stream(array.shape, array.dtype, [array])
            sample, content = _sampled(_content(stream, name))
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED if _shrinks(sample) else zipfile.ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as target:
                header = {"shape": stream.shape, "fortran_order": False, "descr": npy.dtype_to_descr(stream.dtype)}
                npy.write_array_header_1_0(target, header)
                for piece in content:
                    target.write(piece)


def _content(array: Stream, name: str) -> Iterator[memoryview]:
    """Yield the bytes of an array in pieces; DataError if they are not as many as it declares."""
    left = math.prod(array.shape) * array.dtype.itemsize
    for part in array.parts:
        content = np.ascontiguousarray(part, array.dtype).reshape(-1).view(np.uint8).data
        left -= len(content)
        yield from (content[first : first + _PIECE] for first in range(0, len(content), _PIECE))
    if left:
        raise DataError(f"{name}: {abs(left):,} bytes {'less' if left > 0 else 'more'} than its shape declares")


def _sampled(pieces: Iterator[memoryview]) -> tuple[bytes, Iterator[memoryview]]:
    """Return the first bytes of all pieces, and all pieces."""
    first, size = [], 0
    for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size >= _SAMPLE:
            break
    return b"".join(first)[:_SAMPLE], chain(first, pieces)


def _shrinks(sample: bytes) -> bool:
    return 2 * len(zlib.compress(sample, 1)) < len(sample)


def read(
    source: bytes | str | Path,
    expected: Mapping[str, tuple[str, int]],
    max_bytes: int,
    optional: Mapping[str, tuple[str, int]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file (its path or content) if they are as expected and no larger than allowed.

    The expected names must be present, and no others but `optional` ones, each with this type and number of dimensions,
    and unpack to `max_bytes` at most in all; otherwise DataError.
    """
    where = "array file" if isinstance(source, bytes) else source
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            further = {name: kind for name, kind in (optional or {}).items() if f"{name}.npy" in archive.namelist()}
            _check_names(archive, {**expected, **further}, max_bytes)
            return {name: _read_one(archive, name, *kind) for name, kind in {**expected, **further}.items()}
    except DataError as error:
        raise DataError(error.what, where=where, hint=error.hint) from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError) as error:
        raise DataError(f"not a readable array file: {error}", where=where) from error


def _check_names(archive: zipfile.ZipFile, expected: Mapping[str, tuple[str, int]], max_bytes: int) -> None:
    names = archive.namelist()
    if sorted(names) != sorted(f"{name}.npy" for name in expected):
        raise DataError(f"unexpected content: {', '.join(names[:8])}")
    size = sum(member.file_size for member in archive.infolist())
    if size > max_bytes:
        raise DataError(f"unpacks to {size:,} bytes, more than the {max_bytes:,} allowed")


def _read_one(archive: zipfile.ZipFile, name: str, dtype: str, n_dims: int) -> NDArray[Any]:
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version != (1, 0):
            raise DataError(f"{name}: array format {version} is not supported")
        shape, fortran, found = npy.read_array_header_1_0(stream)
        if found != np.dtype(dtype) or len(shape) != n_dims or fortran:
            raise DataError(f"{name}: {found}{list(shape)} instead of {dtype} of {n_dims} dimensions")
        size = math.prod(shape) * found.itemsize
        if size != member.file_size - stream.tell():
            raise DataError(f"{name}: declares {size:,} bytes and contains {member.file_size - stream.tell():,}")
        content = stream.read(size + 1)
    return np.frombuffer(content, dtype=found).reshape(shape)
