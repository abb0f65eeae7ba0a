"""Files of lines that several processes append to and rewrite, one at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """Open a file, unbuffered, and lock it for the block."""
    while True:
        with path.open(mode, buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
            if is_at(path, os.fstat(file.fileno())):  # otherwise it was replaced while we waited
                yield file
                return


def append_whole(file: IO[bytes], data: bytes) -> None:
    """Append all of `data` or nothing: half a line would spoil the next one too."""
    before = os.fstat(file.fileno()).st_size
    try:
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(file.fileno(), before)
        raise


def replace_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Replace the lines of a locked file all at once: a process that is killed meanwhile leaves the old ones."""
    new = aside(path)
    with new.open("wb") as file:
        os.fchmod(file.fileno(), path.stat().st_mode)
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def aside(path: Path) -> Path:
    """Return the path that new lines are written to before they replace a file's."""
    return path.with_name(f"{path.name}.part")


def is_at(path: Path, file: os.stat_result | None) -> bool:
    """Return whether a path still leads to a file, given that file's status."""
    try:
        return file is not None and os.path.samestat(file, path.stat())
    except FileNotFoundError:
        return False
