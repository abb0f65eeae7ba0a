"""Records of one JSON object each; a damaged one is named in the log and left out of a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from cabstand.io import storage

_log = logging.getLogger(__name__)


def read(uris: Iterable[str]) -> list[dict[str, Any]]:
    """Return the objects at these URIs."""
    found = []
    for uri in uris:
        try:
            content = json.loads(storage.read(uri))
        except ValueError:
            content = None
        if isinstance(content, dict):
            found.append(content)
        else:
            _log.warning("%s: not a record, left out", uri)
    return found
