"""Watch for API keys of a test run in its logs and in the files that it leaves."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from cabstand.io.keys import MARK
from cabstand.log import JsonFormatter

# Text that services and jobs write; data files contain none.
LOGS = frozenset({".log", ".jsonl", ".json", ".db", ".db-wal", ".txt", ".xml", ".md", ".html", ""})
MOST_BYTES = 256 << 20


class KeyWatch(logging.Handler):
    """A handler for the root logger that knows the keys and records which loggers wrote one.

    Attributes
    ----------
    secrets : set of bytes
        The secret part of every key made so far.
    told : list of str
        Loggers whose records contained one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[bytes] = set()
        self.told: list[str] = []
        self.setFormatter(JsonFormatter())

    def made(self, key: str) -> None:
        """Remember a key."""
        mark, _, secret = key.split("_", 2)
        assert mark == MARK
        assert len(secret) > 40
        self.secrets.add(secret.encode())

    def emit(self, record: logging.LogRecord) -> None:
        """Check a record, including its extra fields and its exception."""
        if self.held_in(self.format(record).encode()):
            self.told.append(record.name)

    def held_in(self, content: bytes) -> bool:
        """Return whether the bytes contain a secret."""
        return any(secret in content for secret in self.secrets)

    def found_below(self, folder: Path) -> Iterator[Path]:
        """Yield the logs and text files in a folder that contain a secret."""
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place) / name
                if path.suffix in LOGS and path.is_file() and path.stat().st_size <= MOST_BYTES:
                    try:
                        content = path.read_bytes()
                    except OSError:
                        continue
                    if self.held_in(content):
                        yield path
