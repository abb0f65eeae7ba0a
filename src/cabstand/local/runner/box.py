"""bubblewrap: a file system like this machine's but with another /tmp, and an end for all descendants of a command."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)
_BWRAP = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--unshare-pid", "--proc", "/proc"]
_TMP = "/tmp"  # noqa: S108


@cache
def available() -> bool:
    """Whether bubblewrap is installed, and may do here what it does."""
    works = shutil.which("bwrap") and not subprocess.run([*_BWRAP, "true"], capture_output=True, check=False).returncode
    if not works:
        _log.warning(
            "bubblewrap is not installed or not allowed: tasks share /tmp, and have a TMPDIR of their own only"
        )
    return bool(works)


def words(tmp: Path, needed: Sequence[str]) -> list[str]:
    """Return the words before a command; what is needed of the real /tmp is there too."""
    hidden = [path for path in dict.fromkeys(needed) if Path(path).is_relative_to(_TMP)]
    there = [word for path in hidden for word in ("--bind", path, path)]
    return [*_BWRAP, "--die-with-parent", "--bind", str(tmp), _TMP, *there]
