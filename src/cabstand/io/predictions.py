"""The prediction log on this machine: SQLite for questions, JSON lines for pipes; both by date, both with an end.

One line or row is one predicted row. The writer is the service's own thread; `cabstand predictions` reads and deletes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any

from cabstand.errors import StorageError
from cabstand.io.prediction_lines import COLUMNS, SCHEMA_VERSION, Entry, Record

AT_ONCE = 64  # rows of one statement
_TABLE = """
CREATE TABLE IF NOT EXISTS predictions (
  request_id TEXT NOT NULL, row INTEGER NOT NULL, at TEXT NOT NULL, problem TEXT NOT NULL, version TEXT NOT NULL,
  role TEXT NOT NULL, key TEXT NOT NULL, latency_ms REAL NOT NULL, trace_id TEXT NOT NULL,
  features TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS predictions_by_request ON predictions (request_id);
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (problem, at);
"""


@cache
def _insert(n_rows: int) -> str:
    row = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO predictions ({', '.join(COLUMNS)}) VALUES {', '.join([row] * n_rows)}"  # noqa: S608


def _stretches(n_rows: int) -> Iterator[tuple[int, int]]:
    """Yield first and last (outside) of stretches whose lengths are powers of two, so that few statements do for all.

    A row a statement would give the interpreter's lock away, and ask for it again, with each row: a server under load
    spends more time on that than on the rows.
    """
    first = 0
    while first < n_rows:
        last = first + min(AT_ONCE, 1 << (n_rows - first).bit_length() - 1)
        yield first, last
        first = last


class PredictionFiles:
    """The two logs in one folder.

    Parameters
    ----------
    folder : path
        Holds `predictions.db` and one `<date>.jsonl` a day (UTC).
    keep_open : bool
        Whether the database stays open from one `append` to the next, all from one thread, until `close`: to open and
        close it, which empties its journal, costs as much as a thousand rows.
    """

    def __init__(self, folder: Path, *, keep_open: bool = False) -> None:
        self.folder = folder
        self._keep_open = keep_open
        self._writer: sqlite3.Connection | None = None
        self._written: os.stat_result | None = None

    def append(self, entries: Sequence[Entry]) -> None:
        """Write the predicted rows of requests to both.

        Raises
        ------
        StorageError
            If the disk refuses, is full, say; none of the rows is in SQLite then.
        """
        by_day: dict[str, list[str]] = {}
        for one in entries:
            by_day.setdefault(one.day, []).append(one.lines)
        with self._errors():
            self._insert([values for one in entries for values in one.values])
            for day, texts in by_day.items():
                with _locked(self.folder / f"{day}.jsonl", "ab") as file:
                    _append_whole(file, "".join(texts).encode())

    def close(self) -> None:
        """Close the database."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def read(self, problem: str | None = None, since: str = "", until: str = "9999") -> Iterator[Record]:
        """Yield the predicted rows of a time span (ISO 8601, UTC; `until` is outside), the oldest first."""
        if not self.database.is_file():
            return
        query = "SELECT * FROM predictions WHERE at >= ? AND at < ? AND (? IS NULL OR problem = ?) ORDER BY at"
        with self._errors(), closing(self._connect()) as connection:
            for row in connection.execute(query, (since, until, problem, problem)):
                record = dict(zip(COLUMNS, row, strict=True))
                yield record | {name: json.loads(record[name]) for name in ("features", "answer")}

    def delete(self, request_id: str) -> int:
        """Delete what one request left in both, and return its number of rows."""
        n_rows = self._delete_rows("request_id = ?", request_id)
        mark = f'"request_id":"{request_id}"'.encode()
        for path in sorted(self.folder.glob("*.jsonl")):
            with self._errors(), _locked(path, "rb") as file:
                _aside(path).unlink(missing_ok=True)  # of a deletion that was killed
                if mark in (content := file.read()):
                    _replace(path, (kept for kept in content.splitlines(keepends=True) if mark not in kept))
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
            connection.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            )  # nor does it stay in the journal of a running service
            return deleted.rowcount

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        kept = False
        try:
            with self._open() as connection:
                for first, last in _stretches(len(rows)):
                    connection.execute(_insert(last - first), [*chain.from_iterable(rows[first:last])])
            kept = self._keep_open
        finally:
            if not kept:
                self.close()

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the database that is there now: somebody may have removed the one written before."""
        if self._writer is not None and not _stands_at(self.database, self._written):
            self.close()
        if self._writer is None:
            self._writer = self._connect()
            self._written = self.database.stat()
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # One at a time: SQLite does not wait for another who is making the same file.
        with _locked(self.folder / ".predictions.lock", "ab"):
            connection = sqlite3.connect(self.database, timeout=30)
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


def _append_whole(file: IO[bytes], data: bytes) -> None:
    """Append all of `data` or nothing: half a line would spoil the next one too."""
    before = os.fstat(file.fileno()).st_size
    try:
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(file.fileno(), before)
        raise


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _replace(path: Path, kept: Iterable[bytes]) -> None:
    """Put other lines in a locked file's place, all at once: whoever is killed meanwhile leaves the old ones."""
    aside = _aside(path)
    with aside.open("wb") as file:
        os.fchmod(file.fileno(), path.stat().st_mode)
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


@contextmanager
def _locked(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """Open a file, unbuffered, and hold it alone for the block."""
    while True:
        with path.open(mode, buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
            if _stands_at(path, os.fstat(file.fileno())):  # and has not been replaced while we waited
                yield file
                return


def _stands_at(path: Path, file: os.stat_result | None) -> bool:
    try:
        return file is not None and os.path.samestat(file, path.stat())
    except FileNotFoundError:
        return False
