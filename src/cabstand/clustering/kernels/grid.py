"""The grid: rows along the first coordinate, columns of a width of their own in each row.

A cell is at most eps across, so all points of one cell are neighbours. On the Earth a row is a band of latitude and
its columns are as wide in longitude as its widest parallel allows, so that the grid reaches from pole to pole; on a
plane all rows are alike. With ``chord^2 = 4 sin^2(dlat/2) + 4 cos(lat1) cos(lat2) sin^2(dlon/2)`` (unit sphere) and
``sin x <= x``, a cell of height h and width h / cos has a diagonal of at most ``sqrt(2) h``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels.instructions import smaller
from cabstand.clustering.kernels.jit import inlined
from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.errors import DataError

BAND_LIMIT = 1 << 18  # at most so many bands; beyond it neighbouring rows share one
KEY_BITS = 62
MOST_COLUMNS = 2.0**45  # beyond it, rounding would be a tenth of a cell
LEAST_BITS = 6  # a row is at least a page of cells wide


class Grid(NamedTuple):
    """Rows and columns, in the units of the input (degrees on the Earth).

    A cell's key is ``row << col_bits | column``; keys in order are cells in row-major order. Kernels take `bands` out
    of the tuple before their loops: numba may count a reference at each access to an array in a tuple.
    """

    # Per band: columns per unit, units per column, reach along rows 0 and 1 away, and others.
    bands: NDArray[np.float64]
    spherical: bool
    wraps: bool  # longitude runs full circle: the first column is the last one's neighbour
    origin0: float
    origin1: float
    rows_per_unit: float
    n_rows: int
    col_bits: int
    reach_rows: int  # a neighbour is at most so many rows away
    band_shift: int  # the table of bands is indexed by row >> band_shift
    eps2: float  # squared eps: degrees of chord on the Earth
    sin2: float  # sin^2(eps / 2R), which scikit-learn compares with
    rounding: float  # relative error of a squared distance of eps due to the rounding of the input


@inlined
def cell_of(grid, columns, y, x):
    """Return the row and the column of a point's cell; `columns` is ``grid.bands[:, 0]``."""
    row = smaller(np.int64((y - grid.origin0) * grid.rows_per_unit), grid.n_rows - 1)
    per_unit = columns[np.uint64(row >> grid.band_shift)]
    last_col = np.int64(360.0 * per_unit + 0.5) - 1 if grid.wraps else (np.int64(1) << grid.col_bits) - 1
    return row, smaller(np.int64((x - grid.origin1) * per_unit), last_col)


def make_grid(box: NDArray[np.float64], eps_m: float, *, spherical: bool) -> Grid:
    """Lay a grid over a bounding box: smallest and largest first coordinate, then second, in degrees or metres.

    DataError if the box is so many eps high and wide that its cells cannot be counted.
    """
    return _earth(box, eps_m) if spherical else _plane(box, eps_m)


def _plane(box: NDArray[np.float64], eps: float) -> Grid:
    height, width = float(box[1] - box[0]), float(box[3] - box[2])
    cells = max(height, width) / eps * math.sqrt(2.0) + 2
    if not cells < MOST_COLUMNS:
        raise _too_many()
    slack = 1e-9 + cells * 2.0**-49
    side = eps / math.sqrt(2.0) * (1 - slack)
    far = math.sqrt(max(eps * eps - side * side * (1 - slack), 0.0))
    n_rows, col_bits = int(height / side) + 1, _col_bits(width / side)
    _check_bits(n_rows, col_bits)
    bands = np.array([[1 / side, side, eps * (1 + slack) + slack * side, far * (1 + slack) + slack * side]])
    return Grid(
        bands=bands,
        spherical=False,
        wraps=False,
        origin0=float(box[0]),
        origin1=float(box[2]),
        rows_per_unit=1 / side,
        n_rows=n_rows,
        col_bits=col_bits,
        reach_rows=2,
        band_shift=62,
        eps2=eps * eps,
        sin2=0.0,
        rounding=0.0,
    )


def _earth(box: NDArray[np.float64], eps_m: float) -> Grid:
    angle = min(eps_m / EARTH_RADIUS_M, math.pi)
    chord = 2 * math.sin(angle / 2)
    wraps = bool(box[3] - box[2] > 180)
    n_cells = 2 * math.pi / chord * math.sqrt(2.0)  # around the Earth
    rounding = 8e-15 / angle
    slack = 1e-9 + rounding + n_cells * 2.0**-49
    height = math.degrees(chord / math.sqrt(2.0) * (1 - slack))
    n_rows = int((box[1] - box[0]) / height) + 1
    shift = max(0, (n_rows - 1).bit_length() - (BAND_LIMIT.bit_length() - 1))
    reach_rows = int(math.degrees(angle) / height * (1 + slack)) + 1
    edges = np.arange((n_rows - 1 >> shift) + 1, dtype=np.float64) * (height * (1 << shift)) + box[0]
    cols, near, far = _earth_tables(edges, height * (1 << shift), height * reach_rows, height * (1 - slack), angle)
    width = 360.0 if wraps else float(box[3] - box[2])
    col_bits = _col_bits(width * float(cols.max()))
    _check_bits(n_rows, col_bits)
    sine = 2.0 if eps_m >= math.pi * EARTH_RADIUS_M else math.sin(0.5 * (eps_m / EARTH_RADIUS_M))
    bands = np.stack([cols, 1 / cols, near * (1 + slack) + 1e-6 / cols, far * (1 + slack) + 1e-6 / cols], axis=1)
    return Grid(
        bands=bands,
        spherical=True,
        wraps=wraps,
        origin0=float(box[0]),
        origin1=-180.0 if wraps else float(box[2]),
        rows_per_unit=1 / height,
        n_rows=n_rows,
        col_bits=col_bits,
        reach_rows=reach_rows,
        band_shift=shift,
        eps2=math.degrees(chord) ** 2,
        sin2=sine * sine,
        rounding=rounding,
    )


def _earth_tables(
    edges: NDArray[np.float64], band: float, reach: float, gap: float, angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns a degree of each band of latitude, and how far along it a neighbour can be (degrees of longitude)."""
    low, high = np.radians(np.clip(edges, -90, 90)), np.radians(np.clip(edges + band, -90, 90))
    widest = np.where((low <= 0) & (high >= 0), 1.0, np.maximum(np.cos(low), np.cos(high)))
    # A whole number of columns around the Earth, so that the last one meets the first.
    cols = np.maximum(np.ceil(widest * (360 / gap)), 1) / 360
    outer = np.radians(np.clip(np.maximum(np.abs(edges - reach), np.abs(edges + band + reach)), 0, 90))
    inner = np.maximum(np.abs(low), np.abs(high))
    narrow = np.maximum(np.cos(inner) * np.cos(outer), 1e-300)
    half = math.sin(angle / 2) ** 2

    def degrees(sine2: float) -> NDArray[np.float64]:
        ratio = sine2 / narrow
        # Beyond 60 degrees take the whole parallel: cells beside a pole are few.
        return np.where(ratio >= 0.25, 360.0, np.degrees(2 * np.arcsin(np.sqrt(np.minimum(ratio, 1.0)))))

    return cols, degrees(half), degrees(max(half - math.sin(math.radians(gap) / 2) ** 2, 0.0))


def _col_bits(columns: float) -> int:
    return max(int(columns + 2).bit_length(), LEAST_BITS)


def _check_bits(n_rows: int, col_bits: int) -> None:
    if n_rows.bit_length() + col_bits > KEY_BITS:
        raise _too_many()


def _too_many() -> DataError:
    what = "the points spread over too many eps for a grid"
    return DataError(what, where="eps_m", hint="take a larger eps, or leave out points that are far from all others")
