"""The schema of the log's lines, and a check of lines against it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "schemas" / "log-v1.json").read_text())
_VALIDATOR = Draft202012Validator(SCHEMA)


def checked(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the lines as objects; each must fit the schema."""
    found = [json.loads(line) for line in lines]
    for one in found:
        error = next(_VALIDATOR.iter_errors(one), None)
        assert error is None, (one, error and error.message)
    return found


def fields() -> set[str]:
    """Return the names of all fields that the schema knows."""
    return {name for part in (SCHEMA, *SCHEMA["oneOf"]) for name in part["properties"]}
