"""The errors that users see, with their exit codes.

::

    CabstandError        exit 1
    |-- ConfigError      exit 2   a setting, option or argument is wrong
    |-- DataError        exit 2   an input file or value is wrong
    |-- StorageError     exit 1   storage fails, refuses or does not answer
    |   |-- AbsentError           nothing exists at the address
    |   `-- ConflictError         another writer was faster
    |-- RegistryError    exit 1   MLflow fails, refuses or does not answer
    |-- TaskError        exit 1   a job, worker or task failed
    |-- LeftRunningError exit 130 this process ends, and what it started elsewhere goes on
    `-- NothingToDo      exit 0   there is no data yet: no fault, but no result either
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Any


class CabstandError(Exception):
    """An error that a user can act on, in one line: what went wrong, where (file, URI, setting, row), what to do."""

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return " ".join(f"{where}{self.what}{hint}".split())

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes raise these errors, and Exception's own pickling drops keyword-only arguments.
        return partial(type(self), self.what, where=self.where, hint=self.hint), ()


class ConfigError(CabstandError):
    """A setting, option or argument is wrong."""

    exit_code = 2


class DataError(CabstandError):
    """An input file or value is wrong."""

    exit_code = 2


class StorageError(CabstandError):
    """A disk, bucket or address fails, refuses or does not answer."""


class AbsentError(StorageError):
    """The disk or bucket reports that nothing exists at the address."""


class ConflictError(StorageError):
    """The object has changed since it was read: another writer was faster."""


class RegistryError(CabstandError):
    """MLflow fails, refuses or does not answer."""


class TaskError(CabstandError):
    """A job, worker or task failed."""


class LeftRunningError(CabstandError):
    """The command was told to end, and what it started elsewhere goes on."""

    exit_code = 130


class NothingToDo(CabstandError):  # noqa: N818 (it is no error)
    """There is no data yet: a schedule that is older than the first month has no fault to report."""

    exit_code = 0


def first_fault(error: Any, whole: str) -> tuple[str, str]:
    """Return place and message of the first fault that pydantic found; `whole` is the place of one in no part."""
    first = error.errors(include_url=False)[0]
    return ".".join(str(part) for part in first["loc"]) or whole, str(first["msg"])


def suggest(word: str, known: Sequence[str]) -> str:
    """Return a hint with the closest known words, or all of them where none is close."""
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
