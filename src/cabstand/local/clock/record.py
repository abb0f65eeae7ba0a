"""What the clock remembers across restarts: until when it looked at each schedule, and what it has yet to deliver."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cabstand.errors import DataError


@dataclass
class Pending:
    """A firing whose target has not accepted it yet: how often it was tried, and when it is tried next."""

    arn: str
    scheduled: datetime
    due: datetime
    attempts: int = 0


class Record:
    """A file in the clock's folder, which is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock.json"
        self.through: dict[str, datetime] = {}
        self.pending: list[Pending] = []
        if self._file.exists():
            self._load()

    def save(self) -> None:
        """Write the record aside and put it in its place."""
        found = {"through": self.through, "pending": [asdict(one) for one in self.pending]}
        new = self._file.with_suffix(".new")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(found, default=datetime.isoformat, indent=1))
        new.replace(self._file)

    def _load(self) -> None:
        try:
            found = json.loads(self._file.read_text())
            self.through = {arn: datetime.fromisoformat(text) for arn, text in found["through"].items()}
            self.pending = [
                Pending(
                    one["arn"],
                    datetime.fromisoformat(one["scheduled"]),
                    datetime.fromisoformat(one["due"]),
                    one["attempts"],
                )
                for one in found["pending"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError("is not a record of the clock", where=self._file, hint="delete it") from None
