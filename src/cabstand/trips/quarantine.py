"""Sort rows into a file of trips and a file of quarantined rows, and check that none is lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cabstand.errors import DataError, TaskError
from cabstand.trips.chunks import Chunks, in_order
from cabstand.trips.clean import REASONS, Contract, classify, names_of
from cabstand.trips.duplicates import Seen
from cabstand.trips.ranges import extent, looks_like
from cabstand.trips.readers import BATCH_ROWS, Batch
from cabstand.trips.schema import QUARANTINE, TRIPS


@dataclass(frozen=True)
class Balance:
    """How many rows came in, how many are trips, and how many are quarantined for each reason."""

    rows_in: int
    rows_out: int
    by_reason: Counter[str]

    @property
    def rows_quarantined(self) -> int:
        """Quarantined rows."""
        return sum(self.by_reason.values())


def write_month(
    batches: Iterable[Batch],
    trips_path: Path,
    quarantine_path: Path,
    *,
    contract: Contract,
    facts: dict[str, str],
    advance: Callable[[float], None] = lambda done: None,
) -> Balance:
    """Write every row of `batches`, in order, to the trips or to the quarantine, both Parquet (zstd).

    `facts` are recorded in both files' metadata, and `advance` is called with the number of rows done. A DataError is
    raised if no row is left, a TaskError if the written files do not hold every row between them.
    """
    rows_in = rows_out = 0
    with (
        Seen(Path(tempfile.gettempdir())) as seen,
        _writer(quarantine_path, QUARANTINE, facts) as writer,
    ):
        quarantine, repeated = _Quarantine(writer), np.empty(0, np.int64)
        with _writer(trips_path, TRIPS, facts) as trips, in_order(trips.write_batch) as write:
            chunks = Chunks(BATCH_ROWS, write)
            for batch in batches:
                good = _sort(batch, contract, quarantine)
                chunks.add(good)
                if contract.refuse_duplicates:
                    seen.add(good, TRIPS.names[:-1])
                rows_in += batch.n_source_rows
                rows_out += good.num_rows
                advance(batch.n_source_rows)
            chunks.close()
        if contract.refuse_duplicates and len(repeated := seen.repeated()):
            with _draft(trips_path) as draft_path, _writer(trips_path, TRIPS, facts) as trips:
                _without(repeated, draft_path, trips, quarantine)
    balance = Balance(rows_in, rows_out - len(repeated), quarantine.by_reason)
    _check(balance, trips_path, quarantine_path)
    return balance


class _Quarantine:
    """The quarantine file while it is written, and its rows by reason."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self.by_reason: Counter[str] = Counter()

    def add(self, rows: pa.RecordBatch, reasons: pa.Array, text: pa.Array | None = None) -> None:
        columns = [*rows.columns, reasons, pa.nulls(rows.num_rows, pa.string()) if text is None else text]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=QUARANTINE))
        self.by_reason.update(reasons.to_pylist())

    def add_lines(self, lines: Sequence[tuple[int, str]]) -> None:
        """Add lines that could not be split into columns."""
        n = len(lines)
        row = pa.array([row for row, _ in lines], pa.int64())
        columns = [row if field.name == "row" else pa.nulls(n, field.type) for field in TRIPS]
        text = pa.array([text for _, text in lines], pa.string())
        self.add(pa.RecordBatch.from_arrays(columns, schema=TRIPS), pa.array(["malformed_row"] * n), text)


def _sort(batch: Batch, contract: Contract, quarantine: _Quarantine) -> pa.RecordBatch:
    """Quarantine the bad rows of a batch and return the good ones."""
    codes = classify(batch.trips, batch.unreadable, contract)
    bad = codes > 0
    if bad.any():
        quarantine.add(batch.trips.filter(pa.array(bad)), names_of(codes[bad]))
    if batch.malformed:
        quarantine.add_lines(batch.malformed)
    return batch.trips.filter(pa.array(~bad)) if bad.any() else batch.trips


@contextmanager
def _draft(trips_path: Path) -> Iterator[Path]:
    """Move a file of all good rows aside and yield its path; it is gone after the block."""
    path = trips_path.replace(trips_path.with_name(f"{trips_path.name}.all"))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _without(
    repeated: npt.NDArray[np.int64], draft_path: Path, trips: pq.ParquetWriter, quarantine: _Quarantine
) -> None:
    """Write all rows but those with these indices, which go to the quarantine."""
    with pq.ParquetFile(draft_path, pre_buffer=False, buffer_size=1 << 20) as source:
        for batch in source.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            row, rows = np.asarray(batch.column("row")), batch.cast(TRIPS)
            bad = np.zeros(len(row), bool)
            bad[np.searchsorted(row, repeated[(repeated >= row[0]) & (repeated <= row[-1])])] = True
            if bad.any():
                quarantine.add(rows.filter(pa.array(bad)), pa.array(["duplicate"] * bad.sum()))
                rows = rows.filter(pa.array(~bad))
            trips.write_batch(rows)


def _writer(path: Path, schema: pa.Schema, facts: dict[str, str]) -> pq.ParquetWriter:
    metadata = {f"cabstand.{name}": value for name, value in facts.items()}
    return pq.ParquetWriter(path, schema.with_metadata({**schema.metadata, **metadata}), compression="zstd")


def _check(balance: Balance, trips_path: Path, quarantine_path: Path) -> None:
    out = pq.read_metadata(trips_path).num_rows
    quarantined = pq.read_metadata(quarantine_path).num_rows
    if balance.rows_in != out + quarantined or out != balance.rows_out:
        raise TaskError(
            f"{balance.rows_in} rows came in, {out} went out and {quarantined} were quarantined; nothing is published"
        )
    if out == 0:
        reasons = ", ".join(f"{name} {count:,}" for name, count in balance.by_reason.most_common(3))
        what = f"every one of {balance.rows_in:,} rows was refused ({reasons})"
        raise DataError(what, hint=_why(balance.by_reason, quarantine_path))


def _why(by_reason: Counter[str], quarantine_path: Path) -> str:
    """Return what most of the quarantined rows suggest."""
    reason = by_reason.most_common(1)[0][0] if by_reason else ""
    with pq.ParquetFile(quarantine_path) as file:
        rows = next(file.iter_batches(batch_size=BATCH_ROWS), None)
    if rows is not None and reason == "stray_date":
        times = pc.min_max(rows["pickup_at"]).as_py()
        return f"is it the right month? pickups are of {times['min']:%Y-%m-%d} to {times['max']:%Y-%m-%d}"
    if rows is not None and reason.startswith("coordinates_"):
        latlon = np.column_stack([rows[f"pickup_{axis}"].fill_null(np.nan) for axis in ("lat", "lon")])
        latlon = latlon[np.isfinite(latlon).all(axis=1) & (latlon != 0).all(axis=1)]
        likely = looks_like(latlon)
        if likely is not None:
            return f"{extent(latlon)} look like {likely.what}: {likely.hint}"
        return f"are they trips in New York? {extent(latlon)}" if len(latlon) else "its coordinates are zero"
    return f"{reason}: {REASONS[reason]}" if reason in REASONS else "it holds no rows"
