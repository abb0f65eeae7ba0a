"""Array files: which arrays are compressed, and that readers do not notice."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from cabstand.clustering import npz

RNG = np.random.default_rng(0)
ROUNDED = np.round(RNG.uniform(40.70, 40.71, (60_000, 2)), 3)
KINDS = {"rounded": ROUNDED, "any": RNG.uniform(40, 41, (60_000, 2)), "few": np.arange(4.0), "none": np.empty((0, 2))}


def written(array: np.ndarray | npz.Stream) -> bytes:
    file = io.BytesIO()
    npz.write(file, {"points": array})
    return file.getvalue()


@pytest.mark.parametrize("name", KINDS)
def test_only_what_shrinks_by_half_is_compressed_and_all_is_read_back(name: str) -> None:
    array = KINDS[name]
    content = written(array)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        compressed = archive.getinfo("points.npy").compress_type == zipfile.ZIP_DEFLATED
    assert compressed == (name == "rounded")
    assert np.array_equal(np.load(io.BytesIO(content))["points"], array)
    read = npz.read(content, {"points": ("<f8", array.ndim)}, 1 << 20)
    assert np.array_equal(read["points"], array)


@pytest.mark.parametrize("name", ["rounded", "any"])
@pytest.mark.parametrize("rows", [1, 700, 50_000])
def test_in_parts_of_any_size_it_is_the_same_file(name: str, rows: int) -> None:
    array = KINDS[name][: 2_000 if rows == 1 else None]
    parts = (array[first : first + rows] for first in range(0, len(array), rows))
    assert written(npz.Stream(array.shape, array.dtype, parts)) == written(array)
