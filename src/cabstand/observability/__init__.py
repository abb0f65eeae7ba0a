"""What is measured and watched, declared once in catalogue.yaml."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def catalogue() -> dict[str, Any]:
    """Return the catalogue; it is shared, so nobody may change it."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(files(__name__).joinpath("catalogue.yaml").read_text(encoding="utf-8"))
    return found
