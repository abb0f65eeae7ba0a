"""Reading and writing the pointer; a write is conditional, and settles what the store's answer leaves open.

A PUT whose answer was lost is sent again by the client and then refused (412) because of its own first write: whose
write stands is told by `write_id`. S3 may answer 409 or 503 to a write that was not done: it is tried again for as long
as the pointer is the one that was read.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import ConflictError, StorageError
from cabstand.io import storage
from cabstand.modelling import pointer as format_
from cabstand.modelling.pointer import Pointer

ATTEMPTS = 5
_log = logging.getLogger(__name__)


def uri(artifacts: str, problem: str) -> str:
    """Return where a problem's pointer stands."""
    return storage.join(artifacts, problem, format_.POINTER)


def read(artifacts: str, problem: str) -> tuple[Pointer | None, str | None]:
    """Return the pointer and the tag that a write needs, or (None, None) where there is none.

    Raises
    ------
    DataError
        If it is not a valid pointer.
    """
    place = uri(artifacts, problem)
    if not storage.exists(place):
        return None, None
    data, tag = storage.read_tagged(place)
    return format_.parse_pointer(data, place), tag


def write(artifacts: str, new: Pointer, old: Pointer | None, tag: str | None, **stamp: str) -> Pointer:
    """Write `new` in place of `old`, whose tag is `tag`, and return it as it stands there.

    Parameters
    ----------
    artifacts : str
        The store.
    new : Pointer
        What is wanted.
    old, tag : Pointer or None, str or None
        As `read` gave them.
    **stamp : str
        `who` and `why`; `when` is now unless given.

    Raises
    ------
    ConflictError
        If somebody else's write came first.
    StorageError
        If the store does not take the write.
    """
    place = uri(artifacts, new.problem)
    when = stamp.pop("when", datetime.now(UTC).isoformat(timespec="seconds"))
    stamped = new.stamped((old.sequence if old else 0) + 1, when=when, **stamp)
    for attempt in range(ATTEMPTS):
        try:
            storage.put_if(place, stamped.to_bytes(), tag)
        except StorageError as error:
            if _stands(artifacts, stamped):
                return stamped
            if not _may_retry(artifacts, new.problem, tag, error, attempt):
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            return stamped
    raise AssertionError("unreachable")


def _stands(artifacts: str, written: Pointer) -> bool:
    """Say whether the pointer in the store is this very write."""
    try:
        found, _ = read(artifacts, written.problem)
    except StorageError:
        return False
    return found is not None and found.write_id == written.write_id


def _may_retry(artifacts: str, problem: str, tag: str | None, error: StorageError, attempt: int) -> bool:
    if attempt == ATTEMPTS - 1:
        return False
    try:
        unchanged = storage.etag(uri(artifacts, problem)) == tag
    except StorageError:
        unchanged = not isinstance(error, ConflictError)
    _log.info("the pointer's write was not taken: %s", error)
    return unchanged


def state(pointer: Pointer | None) -> dict[str, Any]:
    """Return the part of a pointer that a result shows."""
    if pointer is None:
        return {"champion": None, "challenger": None, "share": 0.0, "previous": None, "sequence": 0}
    return {
        "champion": pointer.champion,
        "challenger": pointer.challenger,
        "share": pointer.share,
        "previous": pointer.previous,
        "sequence": pointer.sequence,
    }
