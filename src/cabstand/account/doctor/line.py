"""One line of `cabstand doctor`."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Line(NamedTuple):
    """What one check found, and what to do if that is not right."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    hint: str = ""
