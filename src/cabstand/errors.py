"""What can go wrong, as the user is told it.

::

    CabstandError        exit 1
    |-- ConfigError      exit 2   a setting, option or argument is wrong
    |-- DataError        exit 2   an input file or value is wrong
    |-- StorageError     exit 1   a disk, bucket or address does not answer or refuses
    |   |-- AbsentError           there is nothing at that address
    |   `-- ConflictError         somebody else's write came first
    |-- RegistryError    exit 1   MLflow does not answer or refuses
    `-- TaskError        exit 1   a started job, worker or task failed
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class CabstandError(Exception):
    """An error that a user can act on, told in one line.

    Parameters
    ----------
    what : str
        What went wrong.
    where : str, optional
        The file, URI, setting or row it concerns.
    hint : str, optional
        What to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return " ".join(f"{place}{self.what}{advice}".split())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive Exception's own pickling, and worker processes raise these.
        return _rebuild, (type(self), self.what, self.where, self.hint)


def _rebuild(kind: type[CabstandError], what: str, where: str | None, hint: str | None) -> CabstandError:
    return kind(what, where=where, hint=hint)


class ConfigError(CabstandError):
    """A setting, option or argument is wrong."""

    exit_code = 2


class DataError(CabstandError):
    """An input file or value is wrong."""

    exit_code = 2


class StorageError(CabstandError):
    """A disk, bucket or address does not answer or refuses."""


class AbsentError(StorageError):
    """There is nothing at that address, which the disk or bucket itself says."""


class ConflictError(StorageError):
    """Somebody else's write came first: the object is not what it was when it was read."""


class RegistryError(CabstandError):
    """The MLflow server does not answer or refuses."""


class TaskError(CabstandError):
    """A started job, worker or task failed."""


def suggest(word: str, known: Sequence[str]) -> str:
    """Return a hint that names what was probably meant, or else all that is known."""
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
