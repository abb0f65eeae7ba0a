"""What a report shows: the published results it is made from, and the few figures drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

MAP_HOTSPOTS = 1000
TABLE_HOTSPOTS = 25


@dataclass(frozen=True)
class Content:
    """Published results, as read.

    Attributes
    ----------
    clustering : mapping
        Manifest of the hotspots.
    hotspots : sequence of mapping
        Properties of each hotspot's GeoJSON feature, the largest first.
    zones : mapping, optional
        GeoJSON of the zones' outlines.
    months : sequence of mapping
        Manifests of the ingested months that were clustered.
    comparison, sweep : mapping, optional
        The published comparison and sweep.
    """

    clustering: Json
    hotspots: Sequence[Json]
    zones: Json | None = None
    months: Sequence[Json] = field(default_factory=tuple)
    comparison: Json | None = None
    sweep: Json | None = None

    @property
    def synthetic(self) -> bool:
        """Whether anything shown was made up."""
        return any(part["source"]["synthetic"] for part in (self.clustering, self.comparison, self.sweep) if part)

    @property
    def n_in_hotspots(self) -> int:
        """Points that lie in a hotspot."""
        return int(self.clustering["n_points"]) - int(self.clustering["n_noise"])


def largest(features: Sequence[Json]) -> list[Json]:
    """Return the properties of GeoJSON features, the heaviest hotspot first."""
    return sorted((feature["properties"] for feature in features), key=lambda spot: -spot["weight"])


def name_of(spot: Json) -> str:
    """Return what a reader calls a hotspot."""
    return f"{spot['zone'] or 'hotspot'} #{spot['id']}"


def engine_name(row: Json) -> str:
    """Return an engine with its number of workers, where it has several."""
    return f"{row['engine']} x{row['n_workers']}" if row["n_workers"] > 1 else str(row["engine"])


def measured(comparison: Json) -> list[Json]:
    """Return the comparison's rows that were run."""
    return [row for row in comparison["table"] if row["status"] == "measured"]


def commands(content: Content) -> list[str]:
    """Return the commands that make each part again."""
    again = [_command("cluster", content.clustering, ("eps_m", "min_samples", "engine"))]
    if content.comparison:
        again.append(_command("compare", content.comparison, ("engines", "sizes", "repeats", "eps_m", "min_samples")))
    if content.sweep:
        again.append(_command("sweep", content.sweep, ("eps_m", "min_samples", "engine")))
    return [*again, "cabstand report"]


def _command(job: str, result: Json, names: Sequence[str]) -> str:
    words = [f"cabstand {job} --input {result['source']['uri']}"]
    words += [f"--{name.replace('_', '-')} {_text(result[name])}" for name in names]
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
