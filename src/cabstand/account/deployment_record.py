"""The record of an environment's deployments: one JSON object in the state bucket, the newest deployment first.

It is written before each change of the alias, so that whoever comes after a killed run knows what was under way. Writes
are conditional: a run whose record somebody else has written since stops before its next change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cabstand.account.deployment import Deployment, state_bucket
from cabstand.errors import ConflictError, DataError, first_fault
from cabstand.io import storage
from cabstand.io.aws import call

SCHEMA_VERSION = 1
MOST = 50  # deployments; the bucket keeps older versions of the object
UNDER_WAY = ("shifting", "rolling back")


class _Entry(BaseModel):
    """What each deployment or rollback has; others of its facts are for readers alone."""

    model_config = ConfigDict(strict=True)
    kind: Literal["deployment", "rollback"]
    state: Literal["shifting", "rolling back", "completed", "rolled back", "abandoned"]
    from_version: str
    to_version: str
    began_at: str
    ended_at: str | None = None
    by: str = ""
    reason: str | None = None
    steps: list[dict[str, Any]] = []


class _Content(BaseModel):
    model_config = ConfigDict(strict=True)
    schema_version: Literal[1]
    deployments: list[_Entry]


@dataclass
class Record:
    """The deployments at `uri`; `tag` is the content's that was read or written last."""

    uri: str
    deployments: list[dict[str, Any]] = field(default_factory=list)
    tag: str | None = None

    @property
    def newest(self) -> dict[str, Any] | None:
        """The newest deployment, finished or not."""
        return self.deployments[0] if self.deployments else None

    @property
    def under_way(self) -> dict[str, Any] | None:
        """The deployment that has not ended, because it runs or was killed."""
        return self.newest if self.newest and self.newest["state"] in UNDER_WAY else None

    def begin(self, **deployment: Any) -> dict[str, Any]:
        """Add a deployment, to be saved; return it, to be changed and saved again."""
        self.deployments = [deployment, *self.deployments[: MOST - 1]]
        return deployment

    def save(self) -> None:
        """Write the record; ConflictError if another run wrote it since."""
        content = {"schema_version": SCHEMA_VERSION, "deployments": self.deployments}
        data = json.dumps(content, indent=1).encode()
        try:
            self.tag = storage.put_if(self.uri, data, self.tag)
        except ConflictError as error:
            # A write whose answer was lost is sent again, and refused because of itself.
            found, tag = storage.read_tagged(self.uri)
            if found != data:
                what = "another deployment or rollback took over; this one has stopped"
                raise ConflictError(what, where=self.uri, hint="see its record") from error
            self.tag = tag


def read(deployment: Deployment) -> Record:
    """Read the record of an environment, empty before its first deployment."""
    bucket = state_bucket(deployment.project, call("sts", "get_caller_identity")["Account"])
    uri = f"s3://{bucket}/{deployment.environment}/deployments.json"
    if not storage.exists(uri):
        return Record(uri)
    data, tag = storage.read_tagged(uri)
    try:
        _Content.model_validate_json(data)
    except ValidationError as error:
        what = f"is no record of deployments of schema {SCHEMA_VERSION}: {': '.join(first_fault(error, 'the object'))}"
        raise DataError(what, where=uri, hint="restore an older version of the object") from error
    return Record(uri, json.loads(data)["deployments"], tag)
