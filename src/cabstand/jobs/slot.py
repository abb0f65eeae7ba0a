"""The place of a result: where it belongs, and whether it stands there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cabstand.clustering.columns import End
from cabstand.io import points, provenance, publish, storage
from cabstand.io.points import Points
from cabstand.jobs import zones
from cabstand.settings import Settings


@dataclass(frozen=True)
class Slot:
    """Where a result belongs.

    Attributes
    ----------
    key : str
        The run key.
    target : str
        URI of the folder to publish.
    found : dict, optional
        The manifest of what stands there, if it was made of the same input, parameters and code.
    """

    key: str
    target: str
    found: dict[str, Any] | None

    def planned(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a dry run."""
        return {"dry_run": True, "would_write": self.target, "run_key": self.key, **facts}


@dataclass(frozen=True)
class Shelf:
    """Where the results of a job stand.

    Attributes
    ----------
    job : str
        Its name, the head of its run keys.
    folder : str
        Its folder in the lake.
    version : int
        Newest schema version that is read.
    manifest : str
        Name of the file that says a result is whole.
    """

    job: str
    folder: str
    version: int
    manifest: str = publish.MANIFEST

    def find(
        self, settings: Settings, inputs: Mapping[str, str], settled: Mapping[str, Any], out: str | None = None
    ) -> Slot:
        """Return the place of a result, in the lake or in the folder `out`.

        Parameters
        ----------
        settings : Settings
            Names the lake.
        inputs : mapping of str to str
            Hashes by name of the input.
        settled : mapping
            What the result depends on.
        out : str, optional
            A folder instead of one in the lake.
        """
        key = provenance.run_key(self.job, inputs, settled)
        target = out or storage.join(settings.lake_uri, self.folder, key)
        found = publish.manifest(target, self.version, self.manifest)
        return Slot(key, target, found if found and found.get("run_key") == key else None)


def read_points(settings: Settings, uri: str, end: End, weight_column: str | None) -> Points:
    """Read the points of a job's input; trips that know their zone alone get a place from the lake's zones."""
    return points.read(uri, end, weight_column=weight_column, zones_uri=zones.table_uri(settings))
