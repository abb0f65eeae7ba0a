"""What a step read and wrote, found in its result: addresses with the SHA-256 of their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cabstand.io import provenance, storage
from cabstand.io.publish import MANIFEST

SOURCES = ("uri", "source", "month")  # what names a thing of which `sha256` is the hash, the best first


def inputs(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return `uri` and `sha256` of each thing that a result says was read, once each."""
    found = {}
    for part in _mappings(result):
        name = next((part[name] for name in SOURCES if isinstance(part.get(name), str) and part[name]), None)
        if name and isinstance(part.get("sha256"), str):
            found[name] = part["sha256"]
    return [{"uri": uri, "sha256": sha256} for uri, sha256 in found.items()]


def outputs(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return `uri` and `sha256` of each file that a result names under a key that ends in `_uri`, once each.

    For a folder that is its manifest. What does not exist, or is on a server, is left out.
    """
    named = {
        value: None
        for part in _mappings(result)
        for name, value in part.items()
        if name.endswith("_uri") and isinstance(value, str) and value
    }
    files = {uri: None for one in named if (uri := _file(one))}
    return [{"uri": uri, "sha256": _sha256(uri)} for uri in files]


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a mapping and all those inside it."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _mappings(one)


def _file(uri: str) -> str | None:
    if "://" in uri and not uri.startswith(("s3://", "file://")):
        return None
    return next((one for one in (uri, storage.join(uri, MANIFEST)) if storage.exists(one)), None)


def _sha256(uri: str) -> str:
    with storage.fetched(uri) as path:
        return provenance.sha256_file(path)
