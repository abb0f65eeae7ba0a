"""The trips that a problem's champion was trained on."""

from __future__ import annotations

from cabstand.errors import ConfigError
from cabstand.io import bundles, pointer
from cabstand.settings import Settings


def dataset(settings: Settings, problem: str) -> str:
    """Return the data set that the champion was trained on; a ConfigError if no champion says so."""
    current, _ = pointer.read(settings.artifacts_uri, problem)
    if current is not None:
        manifest = bundles.read_manifest(settings.artifacts_uri, problem, current.champion)
        for uri in manifest.data.get("uris", ()):
            if "/trips/" in str(uri):
                return str(uri).rpartition("/trips/")[2].partition("/")[0]
    raise ConfigError("no champion says which trips it was trained on", where=problem, hint="name them with --dataset")
