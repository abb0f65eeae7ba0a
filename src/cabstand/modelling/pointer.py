"""The pointer: which bundle of a problem serves, and which one gets a share of the requests.

It changes by conditional writes alone. `sequence` grows by one each time, so that equal bytes (and an equal ETag) never
recur. `write_id` is unique, so that a writer whose acknowledgement was lost recognises its own write. It begins with
the id of the trace that the write is part of, if there is one: a field of its own would be refused by older readers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cabstand.errors import DataError
from cabstand.modelling.bundle import VERSION, read_json

POINTER_SCHEMA = 1
REPAIR = "restore its last version, or remove it and promote again"
POINTER = "pointer.json"


@dataclass(frozen=True)
class Pointer:
    """What serves for one problem."""

    problem: str
    sequence: int  # 1 for the first, one more with each write
    write_id: str
    champion: str  # version that answers all requests but the challenger's
    challenger: str | None = None  # version that answers `share` of the requests
    share: float = 0.0  # 0 to 1
    previous: str | None = None  # the champion to which a rollback returns; None after a rollback
    who: str = ""
    when: str = ""  # UTC
    why: str = ""
    schema_version: int = POINTER_SCHEMA

    def to_bytes(self) -> bytes:
        """Return the pointer as JSON."""
        return (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode()

    def promoted(self, version: str) -> Pointer:
        """Return the pointer with `version` as champion."""
        return replace(self, champion=version, previous=self.champion, challenger=None, share=0.0)

    def challenged(self, version: str, share: float) -> Pointer:
        """Return the pointer with `version` as challenger."""
        return replace(self, challenger=version, share=share)

    def rolled_back(self, version: str | None = None) -> Pointer:
        """Return the pointer with `version` (by default the previous champion) as champion again.

        It has no previous champion: a second rollback must not bring back the version that the first one removed.
        """
        target = version or self.previous
        if target is None:
            hint = "name a version of `cabstand models list` with --to"
            raise DataError("no previous champion to return to", where=self.problem, hint=hint)
        if target == self.champion:
            raise DataError(f"{target} is the champion already", where=self.problem)
        return replace(self.promoted(target), previous=None)

    def stamped(self, sequence: int, *, who: str, when: str, why: str, trace_id: str = "") -> Pointer:
        """Return the pointer to write: next in sequence, with a new write id."""
        write_id = "-".join([*filter(None, [trace_id]), uuid.uuid4().hex])
        return replace(self, sequence=sequence, write_id=write_id, who=who, when=when, why=why)

    @property
    def trace_id(self) -> str | None:
        """Id of the trace that the last write is part of."""
        trace_id, dash, _ = self.write_id.partition("-")
        return trace_id if dash else None


def first(problem: str, champion: str) -> Pointer:
    """Return the pointer of a problem that had none; `stamped` completes it."""
    return Pointer(problem, 0, "", champion)


def state(pointer: Pointer | None) -> dict[str, Any]:
    """Return the part of a pointer that a job's result shows."""
    absent = {"champion": None, "challenger": None, "share": 0.0, "previous": None, "sequence": 0}
    return {name: getattr(pointer, name, default) for name, default in absent.items()}


def parse_pointer(data: bytes, where: str = POINTER) -> Pointer:
    """Return the pointer in `data`, or raise a DataError."""
    content = read_json(data, POINTER_SCHEMA, where, kind="pointer", hint=REPAIR)
    try:
        found = Pointer(**content)
    except TypeError as error:
        raise DataError(f"not a pointer: {error}", where=where, hint=REPAIR) from error
    if problem := _fault(asdict(found)):
        raise DataError(f"not a pointer: {problem}", where=where, hint=REPAIR)
    return found


def _fault(values: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a pointer's values, or None."""
    if not all(isinstance(values[name], str) for name in ("problem", "write_id", "champion", "who", "when", "why")):
        return "a text is missing"
    for name in ("champion", "challenger", "previous"):
        version = values[name]
        if version is not None and not (isinstance(version, str) and VERSION.fullmatch(version)):
            return f"bad {name} {str(version)[:70]!r}"
    sequence, share = values["sequence"], values["share"]
    if type(sequence) is not int or sequence < 1:
        return f"bad sequence {sequence!r}"
    if type(share) not in {int, float} or not 0 <= share <= 1:
        return f"bad share {share!r}"
    return "a share without a challenger" if share > 0 and values["challenger"] is None else None
