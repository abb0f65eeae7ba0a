"""The make targets that `.ci/run` calls."""

from __future__ import annotations

import re
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / ".ci/run"


def ci_targets() -> list[str]:
    """Return the targets in the order of the script's lines."""
    return re.findall(r"^\s*(?:if ! )?lane ([a-z][a-z-]*)", SCRIPT.read_text(), re.M)
