"""Change settings in cabstand.toml, and leave its other lines and comments as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from cabstand.errors import ConfigError
from cabstand.io import disk


def update(path: Path, values: Mapping[str, float | int | str | bool]) -> None:
    """Set top-level keys of a TOML file, which is made if it does not exist; it is written aside, then renamed."""
    target = path.resolve()  # a link stays a link
    try:
        document = tomlkit.parse(target.read_text(encoding="utf-8") if target.exists() else "")
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid TOML: {error}", where=path) from error
    document.update(values)
    mode = target.stat().st_mode if target.exists() else None
    disk.write(str(target), tomlkit.dumps(document).encode())
    if mode is not None:
        target.chmod(mode)
