"""Print the section of CHANGELOG.md about a release: `release_notes.py TAG`. The tag is v and the package's version."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = re.compile(r"^## \[?(?P<version>[^\]\s]+)\]?(?: - (?P<date>\d{4}-\d\d-\d\d))?\s*$", re.M)


def notes(changelog: str, version: str) -> str:
    """Return the section about a version; exit if it is absent, has no date or is empty."""
    headings = list(HEADING.finditer(changelog))
    found = [number for number, one in enumerate(headings) if one["version"] == version]
    if len(found) != 1:
        sys.exit(f"release-notes: CHANGELOG.md has {len(found)} sections `## {version} - DATE`")
    heading = headings[found[0]]
    if not heading["date"]:
        sys.exit(f"release-notes: CHANGELOG.md does not date {version}: `## {version} - DATE`")
    end = headings[found[0] + 1].start() if found[0] + 1 < len(headings) else len(changelog)
    [text, *_] = re.split(r"^\[[^]]+\]: ", changelog[heading.end() : end], maxsplit=1, flags=re.M)  # links at the end
    return text.strip() or sys.exit(f"release-notes: CHANGELOG.md says nothing about {version}")


def main(words: list[str]) -> None:
    """Check the tag against the package, and print the notes."""
    if len(words) != 1:
        sys.exit(__doc__)
    try:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"release-notes: pyproject.toml or CHANGELOG.md cannot be read: {type(error).__name__}: {error}")
    if words[0] != f"v{version}":
        sys.exit(f"release-notes: the tag {words[0]} is not v{version}, the version in pyproject.toml")
    print(notes(changelog, version))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
