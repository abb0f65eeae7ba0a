"""What identifies a result: hashes of its inputs and of the code, and the run key made of them and the parameters."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cabstand

PACKAGE = Path(cabstand.__file__).parent


@cache
def code_version() -> str:
    """Return the package's version and a hash of its source, as `0.1.0+1f3a9c22b0d4`.

    A hash of the source, not the commit: a changed working tree is other code, and a wheel or image has no repository.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{cabstand.__version__}+{digest.hexdigest()[:12]}"


@cache
def git_commit() -> str | None:
    """Return the commit of the checkout that the package runs from, or None outside of one."""
    if not (PACKAGE.parents[1] / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_files(paths: Iterable[Path]) -> str:
    """Return a hash of several files' contents, in order; empty for no file."""
    found = [sha256_file(path) for path in paths]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest() if found else ""


def run_key(job: str, inputs: Mapping[str, str], params: Mapping[str, Any], code: str | None = None) -> str:
    """Return the key of a result: same job, input hashes (by name), parameters and code version, same key."""
    text = json.dumps([job, dict(inputs), dict(params), code or code_version()], sort_keys=True, default=str)
    return f"{job}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
