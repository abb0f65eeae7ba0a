"""Print the wheel and the source distribution in dist/; they must be one of each, of the version in pyproject.toml."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Check what is there, and print it."""
    try:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"dist: pyproject.toml cannot be read: {type(error).__name__}: {error}")
    wheels, sdists = sorted((ROOT / "dist").glob("*.whl")), sorted((ROOT / "dist").glob("*.tar.gz"))
    if (len(wheels), len(sdists)) != (1, 1):
        what = f"{len(wheels)} wheels and {len(sdists)} source distributions"
        sys.exit(f"dist: dist/ holds {what}, not one of each (make package)")
    for path in (*wheels, *sdists):
        if not path.name.startswith((f"cabstand-{version}-", f"cabstand-{version}.tar.gz")):
            sys.exit(f"dist: {path.name} is not of version {version}, which pyproject.toml names (make package)")
        print(path.relative_to(ROOT))  # noqa: T201


if __name__ == "__main__":
    main()
