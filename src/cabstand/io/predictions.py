"""The prediction log on this machine: SQLite for queries, JSON lines for pipes; both keep a limited number of days.

Each line or row is one predicted row. A thread of the service writes; `cabstand predictions` reads and deletes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from cabstand.errors import StorageError
from cabstand.io.locked_files import append_whole, aside, is_at, locked, replace_lines
from cabstand.io.prediction_lines import COLUMNS, SCHEMA_VERSION, Record, line

_TABLE = """
CREATE TABLE IF NOT EXISTS predictions (
  request_id TEXT NOT NULL, row INTEGER NOT NULL, at TEXT NOT NULL, problem TEXT NOT NULL, version TEXT NOT NULL,
  role TEXT NOT NULL, key TEXT NOT NULL, latency_ms REAL NOT NULL, trace_id TEXT NOT NULL,
  features TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS predictions_by_request ON predictions (request_id);
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (problem, at);
"""


# Many rows a statement: one each would release the interpreter's lock and wait for it again, which a server under load
# keeps busy. SQLite takes 32,766 values a statement.
_ROWS_A_STATEMENT = 2_000
_ROW = f"({', '.join('?' * len(COLUMNS))})"


class PredictionFiles:
    """Both logs in one folder: `predictions.db`, and one `<date>.jsonl` a day (UTC).

    With `keep_open` the database stays open between calls of `append`, which must all come from one thread, until
    `close`: opening and closing it costs as much as a thousand rows.
    """

    def __init__(self, folder: Path, *, keep_open: bool = False) -> None:
        self.folder = folder
        self._keep_open = keep_open
        self._writer: sqlite3.Connection | None = None
        self._written: os.stat_result | None = None

    def append(self, records: Sequence[Record]) -> None:
        """Write predicted rows to both; if the disk refuses, for example because it is full, none is in SQLite."""
        by_day: dict[str, list[bytes]] = {}
        for record in records:
            by_day.setdefault(record["at"][:10], []).append(line(record))
        with self._errors():
            self._insert(records)
            for day, lines in by_day.items():
                with locked(self.folder / f"{day}.jsonl", "ab") as file:
                    append_whole(file, b"".join(lines))

    def close(self) -> None:
        """Close the database."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def read(self, problem: str | None = None, since: str = "", until: str = "9999") -> Iterator[Record]:
        """Yield the predicted rows of a time span (ISO 8601, UTC; `until` is excluded), oldest first."""
        if not self.database.is_file():
            return
        query = "SELECT * FROM predictions WHERE at >= ? AND at < ? AND (? IS NULL OR problem = ?) ORDER BY at"
        with self._errors(), closing(self._connect()) as connection:
            for row in connection.execute(query, (since, until, problem, problem)):
                record = dict(zip(COLUMNS, row, strict=True))
                yield record | {name: json.loads(record[name]) for name in ("features", "answer")}

    def delete(self, request_id: str) -> int:
        """Delete one request's rows from both, and return their number."""
        n_rows = self._delete_rows("request_id = ?", request_id)
        mark = f'"request_id":"{request_id}"'.encode()
        for path in sorted(self.folder.glob("*.jsonl")):
            with self._errors(), locked(path, "rb") as file:
                aside(path).unlink(missing_ok=True)  # left by a deletion that was killed
                if mark in (content := file.read()):
                    replace_lines(path, (one for one in content.splitlines(keepends=True) if mark not in one))
        return n_rows

    def retain(self, days: int, now: datetime) -> None:
        """Delete what is older than `days`."""
        oldest = (now.astimezone(UTC) - timedelta(days=days)).date().isoformat()
        self._delete_rows("at < ?", oldest)
        for path in self.folder.glob("*.jsonl*"):
            if path.name < oldest:
                path.unlink(missing_ok=True)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "predictions.db"

    def _delete_rows(self, condition: str, value: str) -> int:
        if not self.database.is_file():
            return 0
        with self._errors(), closing(self._connect()) as connection:
            with connection:
                deleted = connection.execute(f"DELETE FROM predictions WHERE {condition}", (value,))  # noqa: S608
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # removes it from a running service's journal too
            return deleted.rowcount

    def _insert(self, records: Sequence[Record]) -> None:
        done = False
        try:
            with self._open() as connection:
                for first in range(0, len(records), _ROWS_A_STATEMENT):
                    values = [_values(record) for record in records[first : first + _ROWS_A_STATEMENT]]
                    insert = f"INSERT INTO predictions VALUES {', '.join([_ROW] * len(values))}"  # noqa: S608
                    connection.execute(insert, [*chain.from_iterable(values)])
            done = True
        finally:
            if not (done and self._keep_open):
                self.close()

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the database at the path now: the file written before may have been removed."""
        if self._writer is not None and not is_at(self.database, self._written):
            self.close()
        if self._writer is None:
            self._writer = self._connect()
            self._written = self.database.stat()
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # One at a time: SQLite does not wait for another process that is creating the same file.
        with locked(self.folder / ".predictions.lock", "ab"):
            # No statement is kept: there is one for each number of rows, and sqlite3 keeps its last values with it.
            connection = sqlite3.connect(self.database, timeout=30, cached_statements=0)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # deleted means gone
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StorageError(f"a newer cabstand wrote it (schema {version})", where=self.database)
        if version < SCHEMA_VERSION:
            connection.executescript(f"{_TABLE}PRAGMA user_version = {SCHEMA_VERSION};")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"prediction log: {error}", where=self.folder) from error


def _values(record: Record) -> list[Any]:
    *plain, features, answer = (record[name] for name in COLUMNS)
    return [*plain, *(to_json(one, inf_nan_mode="null").decode() for one in (features, answer))]
