"""The names of settings: in the environment, and of the file that holds them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

PREFIX = "CABSTAND_"


def config_file() -> Path:
    """Return the path of the TOML file with settings, which need not exist."""
    return Path(os.environ.get(f"{PREFIX}CONFIG", "cabstand.toml"))


def closest(name: str, known: list[str]) -> str:
    """Return a hint with the closest known name."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"did you mean {near[0]}?" if near else "see `cabstand config show`"
