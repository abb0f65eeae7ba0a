"""Runs as their journals tell of them, with the times and the memory that a test wants."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def moment(seconds: float) -> str:
    """Return seconds since 1970 as a journal writes them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def write_run(
    lake: Path,
    name: str,
    number: int = 0,
    *,
    ended: float | None = None,
    seconds: float = 1.0,
    status: str = "done",
    peak_rss_mb: float = 100.0,
    command: str = "compare",
) -> dict[str, Any]:
    """Write the manifest of a run of one step; without `ended` it has just ended."""
    end = time.time() if ended is None else ended
    step = {
        "status": status,
        "started": moment(end - seconds),
        "ended": moment(end),
        "attempts": 1,
        "result": {},
        "peak_rss_mb": peak_rss_mb,
        "command": [command],
    }
    key = f"{name}-{number:012x}"
    manifest = {
        "schema_version": 1, "run_key": key, "params": {}, "started": step["started"], "planned": ["only"],
        "code_version": "test", "steps": {"only": step}, "owner": {},
    }  # fmt: skip
    folder = lake / "runs" / key
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "manifest.new"
    aside.write_text(json.dumps(manifest))
    aside.replace(folder / "manifest.json")
    return manifest
