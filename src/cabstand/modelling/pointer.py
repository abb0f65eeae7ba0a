"""The pointer: which bundle of a problem serves as champion, and which as challenger.

It changes by conditional writes only. `sequence` grows by one with each write, so that equal bytes (and an equal ETag)
never come back. `write_id` is unique, so that a writer whose acknowledgement was lost recognises its own write.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cabstand.errors import DataError
from cabstand.modelling.bundle import VERSION, schema

POINTER_SCHEMA = 1
MEND = "restore its last version, or remove it and promote again"
POINTER = "pointer.json"


@dataclass(frozen=True)
class Pointer:
    """What serves for one problem.

    Attributes
    ----------
    problem : str
        Name of the problem.
    sequence : int
        1 for the first write, and one more with each.
    write_id : str
        Unique for each write.
    champion : str
        Version that answers all other requests.
    challenger : str or None
        Version that answers `share` of the requests.
    share : float
        0 to 1.
    previous : str or None
        The champion before this one, to which a rollback returns.
    who, when, why : str
        Author, UTC time and reason of the write.
    """

    problem: str
    sequence: int
    write_id: str
    champion: str
    challenger: str | None = None
    share: float = 0.0
    previous: str | None = None
    who: str = ""
    when: str = ""
    why: str = ""
    schema_version: int = POINTER_SCHEMA

    def to_bytes(self) -> bytes:
        """Return the pointer as JSON."""
        return (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode()

    def promoted(self, version: str) -> Pointer:
        """Return the pointer after `version` became champion."""
        return replace(self, champion=version, previous=self.champion, challenger=None, share=0.0)

    def challenged(self, version: str, share: float) -> Pointer:
        """Return the pointer after `version` got a share of the requests."""
        return replace(self, challenger=version, share=share)

    def rolled_back(self, version: str | None = None) -> Pointer:
        """Return the pointer after a rollback to `version` (by default the previous champion).

        Raises
        ------
        DataError
            If there is no such champion, or it serves already.
        """
        target = version or self.previous
        if target is None:
            raise DataError("no previous champion to go back to", where=self.problem, hint="name one with --to")
        if target == self.champion:
            raise DataError(f"{target} is the champion already", where=self.problem)
        return replace(self, champion=target, previous=self.champion, challenger=None, share=0.0)

    def stamped(self, sequence: int, *, who: str, when: str, why: str) -> Pointer:
        """Return the pointer as it will be written: next in sequence, with a write id of its own."""
        return replace(self, sequence=sequence, write_id=uuid.uuid4().hex, who=who, when=when, why=why)


def first(problem: str, champion: str) -> Pointer:
    """Return the pointer of a problem that had none; `stamped` completes it."""
    return Pointer(problem, 0, "", champion)


def state(pointer: Pointer | None) -> dict[str, Any]:
    """Return the part of a pointer that a job's result shows."""
    absent = {"champion": None, "challenger": None, "share": 0.0, "previous": None, "sequence": 0}
    return {name: getattr(pointer, name, default) for name, default in absent.items()}


def parse_pointer(data: bytes, where: str = POINTER) -> Pointer:
    """Return the pointer in `data`.

    Raises
    ------
    DataError
        If it is not JSON, lacks a part, holds an invalid value, or has a schema version that is not supported.
    """
    try:
        content = json.loads(data)
        if not isinstance(content, dict):
            raise DataError("not a JSON object", where=where)
        schema(content, POINTER_SCHEMA, where)
        found = Pointer(**content)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"not a pointer: {error}", where=where, hint=MEND) from error
    if problem := _fault(asdict(found)):
        raise DataError(f"not a pointer: {problem}", where=where, hint=MEND)
    return found


def _fault(content: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a pointer's values, or None."""
    texts = ("problem", "write_id", "champion", "who", "when", "why")
    if not all(isinstance(content[name], str) for name in texts):
        return "a text is missing"
    for name in ("champion", "challenger", "previous"):
        version = content[name]
        if version is not None and not (isinstance(version, str) and VERSION.fullmatch(version)):
            return f"bad {name} {str(version)[:70]!r}"
    if isinstance(content["sequence"], bool) or not isinstance(content["sequence"], int) or content["sequence"] < 1:
        return f"bad sequence {content['sequence']!r}"
    share = content["share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        return f"bad share {share!r}"
    return "a share without a challenger" if share > 0 and content["challenger"] is None else None
