"""A window and the decision on it as JSON, which knows neither NaN nor infinity."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from cabstand.monitoring.decisions import Decision
from cabstand.monitoring.findings import Window
from cabstand.monitoring.sample import Samples


def window_json(window: Window) -> dict[str, Any]:
    """Return a window with its share of drifted columns and its verdict."""
    content: dict[str, Any] = _plain(asdict(window))
    content["drift"] |= {"share": window.drift.share, "drifted": window.drift.drifted}
    return content


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision."""
    content: dict[str, Any] = _plain(asdict(decision))
    return content


def sha256(content: Any) -> str:
    """Return the SHA-256 of JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def sha256_samples(samples: Samples | None) -> str:
    """Return the SHA-256 of samples and of how they are to be read; empty for none."""
    if samples is None:
        return ""
    digest = hashlib.sha256(repr((samples.seed, samples.target, samples.prediction)).encode())
    digest.update(repr(sorted(samples.categorical)).encode())
    for table in (samples.reference, samples.current):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
