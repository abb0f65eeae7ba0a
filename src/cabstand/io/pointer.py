"""Read and write the pointer; a write is conditional, and clears up what an unclear answer of the store leaves open.

A PUT whose answer was lost is sent again by the client and then refused (412) because of its own first write:
`write_id` shows whose write is in the store. S3 may answer 409 or 503 to a write that was not done; it is repeated for
as long as the pointer is the one that was read.
"""

from __future__ import annotations

import getpass
import logging
import time
from datetime import UTC, datetime

from cabstand import trace
from cabstand.errors import ConflictError, StorageError
from cabstand.io import storage
from cabstand.modelling.pointer import POINTER, Pointer, parse_pointer

ATTEMPTS = 5
_log = logging.getLogger(__name__)


def uri(artifacts: str, problem: str) -> str:
    """Return the URI of a problem's pointer."""
    return storage.join(artifacts, problem, POINTER)


def read(artifacts: str, problem: str) -> tuple[Pointer | None, str | None]:
    """Return the pointer and the tag that `write` needs, or (None, None) where there is none."""
    where = uri(artifacts, problem)
    if not storage.exists(where):
        return None, None
    data, tag = storage.read_tagged(where)
    return parse_pointer(data, where), tag


def write(
    artifacts: str, new: Pointer, old: Pointer | None, tag: str | None, *, who: str = "", why: str = ""
) -> Pointer:
    """Replace the pointer that `read` returned as `old` and `tag`; a ConflictError if another writer was faster.

    Returns `new` as it was written: next in sequence, with time, author (by default the user's name) and reason.
    """
    where = uri(artifacts, new.problem)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    span = trace.current()
    stamped = new.stamped(
        (old.sequence if old else 0) + 1, who=who or _user(), when=now, why=why, trace_id=span.trace_id if span else ""
    )
    for attempt in range(ATTEMPTS):
        try:
            storage.put_if(where, stamped.to_bytes(), tag)
        except StorageError as error:
            if _is_written(artifacts, stamped):
                return stamped
            if attempt == ATTEMPTS - 1 or not _may_repeat(where, tag, error):
                raise
            _log.info("the pointer's write was refused and is repeated: %s", error)
            time.sleep(0.05 * 2**attempt)
        else:
            return stamped
    raise AssertionError("unreachable")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _is_written(artifacts: str, written: Pointer) -> bool:
    """Return whether the pointer in the store is this very write."""
    try:
        found, _ = read(artifacts, written.problem)
    except StorageError:
        return False
    return found is not None and found.write_id == written.write_id


def _may_repeat(where: str, tag: str | None, error: StorageError) -> bool:
    """Return whether the pointer is still the one with `tag`, as far as the store answers."""
    try:
        return storage.etag(where) == tag
    except StorageError:
        return not isinstance(error, ConflictError)
