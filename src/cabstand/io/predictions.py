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
from pathlib import Path
from typing import IO, Any

from pydantic_core import to_json

from cabstand.errors import StorageError

SCHEMA_VERSION = 1
COLUMNS = (
    "request_id", "row", "at", "problem", "version", "role", "key", "latency_ms", "trace_id", "features", "answer",
)  # fmt: skip
_INSERT = "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TABLE = """
CREATE TABLE IF NOT EXISTS predictions (
  request_id TEXT NOT NULL, row INTEGER NOT NULL, at TEXT NOT NULL, problem TEXT NOT NULL, version TEXT NOT NULL,
  role TEXT NOT NULL, key TEXT NOT NULL, latency_ms REAL NOT NULL, trace_id TEXT NOT NULL,
  features TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS predictions_by_request ON predictions (request_id);
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (problem, at);
"""

Record = dict[str, Any]
_SEAM = b"},{"


def line(record: Record) -> bytes:
    """Return a predicted row as the line that every log of it holds."""
    return to_json({"event": "prediction", "schema_version": SCHEMA_VERSION, **record}) + b"\n"


def lines(common: Record, rows: Sequence[tuple[int, Record]], answers: Sequence[bytes]) -> bytes:
    """Return the lines of one request's rows: what `line` says of each, what they share written once.

    Parameters
    ----------
    common : dict
        A record's items in order, without row, features and answer.
    rows : sequence of (int, dict)
        Each row's index in its request, and its features.
    answers : sequence of bytes
        The answers' JSON, in the same order.
    """
    (first, request_id), *others = common.items()
    before = to_json({"event": "prediction", "schema_version": SCHEMA_VERSION, first: request_id})[:-1] + b',"row":'
    between = b"," + to_json(dict(others))[1:-1] + b',"features":'
    pieces = [before, b"", between, b"", b',"answer":', b"", b"}\n"] * len(rows)
    pieces[1::7] = [b"%d" % index for index, _ in rows]
    pieces[3::7] = each_json([features for _, features in rows])
    pieces[5::7] = answers
    return b"".join(pieces)


def each_json(objects: Sequence[Record]) -> list[bytes]:
    """Return the JSON of each object, null for what is not finite.

    Made in one call where there are many: a call costs as much as a small object.
    """
    if len(objects) == 1:
        return [to_json(objects[0], inf_nan_mode="null")]
    parts = to_json(objects, inf_nan_mode="null")[2:-2].split(_SEAM)
    # A seam within a text, or an empty object, would give another number of parts.
    if len(parts) != len(objects) or b"" in parts:
        return [to_json(one, inf_nan_mode="null") for one in objects]
    return [b"{%b}" % part for part in parts]


class PredictionFiles:
    """The two logs in one folder.

    Parameters
    ----------
    folder : path
        Holds `predictions.db` and one `<date>.jsonl` a day (UTC).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, records: list[Record]) -> None:
        """Write predicted rows to both.

        Raises
        ------
        StorageError
            If the disk refuses, is full, say; none of the rows is in SQLite then.
        """
        features = each_json([record["features"] for record in records])
        answers = each_json([record["answer"] for record in records])
        told = zip(records, features, answers, strict=True)
        rows = [(*map(record.get, COLUMNS[:-2]), asked.decode(), answer.decode()) for record, asked, answer in told]
        with self._errors(), closing(self._connect()) as connection, connection:
            connection.executemany(_INSERT, rows)
        with self._errors():
            self._append_lines(records, features, answers)

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

    def _append_lines(self, records: list[Record], features: list[bytes], answers: list[bytes]) -> None:
        heads = each_json(
            [
                {"event": "prediction", "schema_version": SCHEMA_VERSION}
                | {name: record[name] for name in COLUMNS[:-2]}
                for record in records
            ]
        )
        by_day: dict[str, list[bytes]] = {}
        for record, head, asked, answer in zip(records, heads, features, answers, strict=True):
            line = b'%b,"features":%b,"answer":%b}\n' % (head[:-1], asked, answer)
            by_day.setdefault(record["at"][:10], []).append(line)
        for day, lines in by_day.items():
            with _locked(self.folder / f"{day}.jsonl", "ab") as file:
                _append_whole(file, b"".join(lines))

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(self.database, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # deleted means gone
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            connection.close()
            raise StorageError(f"a newer cabstand wrote it (schema {version})", where=self.database)
        if version < SCHEMA_VERSION:
            connection.executescript(f"{_TABLE}PRAGMA user_version = {SCHEMA_VERSION};")
        return connection

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
            if _stands_at(path, file):  # and has not been replaced while we waited
                yield file
                return


def _stands_at(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
