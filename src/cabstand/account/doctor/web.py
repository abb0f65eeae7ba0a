"""Requests that the checks make, whose failure is an answer as well."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

_PATIENCE_S = 35.0  # API Gateway itself gives up after 30 s


class Answer(NamedTuple):
    """What came back: a status and a body, or an error."""

    seconds: float
    status: int = 0
    body: Any = None  # JSON; None if it is none
    error: str = ""


def get(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return what an address answers."""
    import httpx2

    begun = time.monotonic()
    try:
        answer = httpx2.get(url, headers=headers, timeout=_PATIENCE_S)
    except httpx2.HTTPError as error:
        return Answer(time.monotonic() - begun, error=f"{type(error).__name__}: {error}")
    seconds = time.monotonic() - begun
    try:
        return Answer(seconds, answer.status_code, answer.json())
    except ValueError:
        return Answer(seconds, answer.status_code)
