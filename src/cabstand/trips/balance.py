"""Write the good rows and the quarantined ones, and see that none is lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError, TaskError
from cabstand.trips import clean
from cabstand.trips.duplicates import Seen
from cabstand.trips.readers import BATCH_ROWS, Batch
from cabstand.trips.schema import QUARANTINE, TRIPS


@dataclass
class Balance:
    """How many rows came in and where they went.

    Attributes
    ----------
    rows_in, rows_out : int
        Rows of the source, and rows kept.
    by_reason : Counter
        Rows put aside, by reason.
    """

    rows_in: int = 0
    rows_out: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)

    @property
    def rows_quarantined(self) -> int:
        """Rows put aside."""
        return sum(self.by_reason.values())


@dataclass(frozen=True)
class Contract:
    """What a row must satisfy to be kept.

    Attributes
    ----------
    needed : tuple of str
        Columns in which a null is an error.
    month : str
        YYYY-MM in which a pickup must lie.
    refuse_duplicates : bool
        Whether a row that equals an earlier one is put aside.
    rules : Rules
        Bounds of what is a trip.
    """

    needed: tuple[str, ...]
    month: str
    refuse_duplicates: bool
    rules: clean.Rules = field(default_factory=clean.Rules)


def write_month(
    batches: Iterable[Batch],
    trips_path: Path,
    quarantine_path: Path,
    *,
    contract: Contract,
    facts: dict[str, str],
    advance: Callable[[float], None] = lambda done: None,
) -> Balance:
    """Sort every row of `batches` into the trips or the quarantine, and write both as Parquet (zstd).

    Parameters
    ----------
    batches : iterable of Batch
        The source in order.
    trips_path, quarantine_path : Path
        Files to write.
    contract : Contract
        What a row must satisfy.
    facts : dict of str to str
        Noted in both files' metadata.
    advance : callable
        Told of rows done.

    Raises
    ------
    DataError
        If no row is left to keep.
    TaskError
        If rows in are not rows out and quarantined, by the written files' own counts: a fault of this program.
    """
    balance = Balance()
    with Seen(Path(tempfile.gettempdir())) as seen, _writer(quarantine_path, QUARANTINE, facts) as aside:
        with _writer(trips_path, TRIPS, facts) as kept:
            for batch in batches:
                good = _sort_out(batch, aside, balance, contract)
                kept.write_batch(good)
                if contract.refuse_duplicates:
                    seen.add(good, TRIPS.names[:-1])
                balance.rows_in += batch.n_source_rows
                balance.rows_out += good.num_rows
                advance(batch.n_source_rows)
        again = seen.repeated()
        if len(again):
            _take_out(again, trips_path, aside, balance, facts)
    _check(balance, trips_path, quarantine_path)
    return balance


def _sort_out(batch: Batch, aside: pq.ParquetWriter, balance: Balance, contract: Contract) -> pa.RecordBatch:
    codes = clean.classify(batch.trips, contract.needed, contract.month, contract.rules, batch.unreadable)
    bad = codes > 0
    if bad.any():
        rows = batch.trips.filter(pa.array(bad))
        _put_aside(aside, rows, clean.names_of(codes[bad]), balance)
    if batch.malformed_text:
        _put_aside_lines(aside, batch, balance)
    return batch.trips.filter(pa.array(~bad)) if bad.any() else batch.trips


def _put_aside(aside: pq.ParquetWriter, rows: pa.RecordBatch, reasons: pa.Array, balance: Balance) -> None:
    columns = [*rows.columns, reasons, pa.nulls(rows.num_rows, pa.string())]
    aside.write_batch(pa.RecordBatch.from_arrays(columns, schema=QUARANTINE))
    for entry in reasons.value_counts():
        balance.by_reason[entry["values"].as_py()] += entry["counts"].as_py()


def _put_aside_lines(aside: pq.ParquetWriter, batch: Batch, balance: Balance) -> None:
    n = len(batch.malformed_text)
    known = {
        "row": pa.array(batch.malformed_rows, pa.int64()),
        "reason": pa.array(["malformed_row"] * n),
        "source_text": pa.array(batch.malformed_text, pa.string()),
    }
    columns = [known.get(name, pa.nulls(n, QUARANTINE.field(name).type)) for name in QUARANTINE.names]
    aside.write_batch(pa.RecordBatch.from_arrays(columns, schema=QUARANTINE))
    balance.by_reason["malformed_row"] += n


def _take_out(
    again: npt.NDArray[np.int64], trips_path: Path, aside: pq.ParquetWriter, balance: Balance, facts: dict[str, str]
) -> None:
    """Move the rows `again` from the written trips to the quarantine."""
    whole = trips_path.with_name(f"{trips_path.name}.all")
    trips_path.rename(whole)
    try:
        with pq.ParquetFile(whole, pre_buffer=False) as source, _writer(trips_path, TRIPS, facts) as kept:
            for batch in source.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                repeated = np.isin(np.asarray(batch.column("row")), again, assume_unique=True)
                rows = batch.filter(pa.array(repeated)).cast(TRIPS)
                kept.write_batch(batch.filter(pa.array(~repeated)).cast(TRIPS))
                if rows.num_rows:
                    _put_aside(aside, rows, pa.array(["duplicate"] * rows.num_rows), balance)
                    balance.rows_out -= rows.num_rows
    finally:
        whole.unlink(missing_ok=True)


def _writer(path: Path, schema: pa.Schema, facts: dict[str, str]) -> pq.ParquetWriter:
    noted = {f"cabstand.{name}": value for name, value in facts.items()}
    return pq.ParquetWriter(path, schema.with_metadata({**schema.metadata, **noted}), compression="zstd")


def _check(balance: Balance, trips_path: Path, quarantine_path: Path) -> None:
    out = pq.read_metadata(trips_path).num_rows
    aside = pq.read_metadata(quarantine_path).num_rows
    if balance.rows_in != out + aside or out != balance.rows_out:
        raise TaskError(
            f"{balance.rows_in} rows came in, {out} went out and {aside} were put aside; nothing is published"
        )
    if out == 0:
        reasons = ", ".join(f"{name} {count:,}" for name, count in balance.by_reason.most_common(3))
        raise DataError(f"every one of {balance.rows_in:,} rows was refused ({reasons})", hint="is it the right month?")
