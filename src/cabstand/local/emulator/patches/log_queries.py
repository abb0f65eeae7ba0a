"""CloudWatch Logs: saved queries (PutQueryDefinition and related calls), which moto answers with 500."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4


def apply() -> None:
    """Store saved queries on the backend of their account and region."""
    from moto.logs.responses import LogsResponse

    LogsResponse.put_query_definition = _put
    LogsResponse.describe_query_definitions = _describe
    LogsResponse.delete_query_definition = _delete


def _definitions(response: Any) -> dict[str, dict[str, Any]]:
    backend = response.logs_backend
    if not hasattr(backend, "query_definitions"):
        backend.query_definitions = {}
    definitions: dict[str, dict[str, Any]] = backend.query_definitions
    return definitions


def _put(self: Any) -> str:
    identity = self._get_param("queryDefinitionId") or str(uuid4())
    _definitions(self)[identity] = {
        "queryDefinitionId": identity,
        "name": self._get_param("name"),
        "queryString": self._get_param("queryString"),
        "logGroupNames": self._get_param("logGroupNames") or [],
    }
    return json.dumps({"queryDefinitionId": identity})


def _describe(self: Any) -> str:
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [definition for definition in _definitions(self).values() if definition["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def _delete(self: Any) -> str:
    found = _definitions(self).pop(self._get_param("queryDefinitionId"), None)
    return json.dumps({"success": found is not None})
