"""What a report shows: the published results, and helpers that name and select from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

MAP_HOTSPOTS = 1000
TABLE_HOTSPOTS = 25


@dataclass(frozen=True)
class Content:
    """Published results."""

    clustering: Json  # manifest of the hotspots
    hotspots: Sequence[Json]  # properties of their GeoJSON features, the heaviest first
    parts: Sequence[Json] = ()  # the same of their densest parts
    zones: Json | None = None  # GeoJSON of their outlines
    months: Sequence[Json] = ()  # manifests of the ingested months that were clustered
    comparison: Json | None = None
    sweep: Json | None = None

    @property
    def timed(self) -> bool:
        """Whether the hours of the pickups are known."""
        return any(spot["hours"] for spot in self.hotspots)

    @property
    def synthetic(self) -> bool:
        """Whether anything shown is synthetic."""
        return any(part["source"]["synthetic"] for part in (self.clustering, self.comparison, self.sweep) if part)

    @property
    def by_zone(self) -> bool:
        """Whether the points clustered are centroids of zones."""
        return bool(self.clustering["source"].get("by_zone"))

    @property
    def notes(self) -> list[str]:
        """What every picture says besides its caption, since it may be seen without the page."""
        found = {"Synthetic trips.": self.synthetic, "Points are zone centroids.": self.by_zone}
        return [note for note, applies in found.items() if applies]


def largest(features: Sequence[Json]) -> list[Json]:
    """Return the properties of GeoJSON features, the heaviest hotspot first."""
    return sorted((feature["properties"] for feature in features), key=lambda spot: -spot["weight"])


def name_of(spot: Json) -> str:
    """Return a hotspot's name for readers."""
    return f"{spot['zone'] or 'hotspot'} #{spot['id']}"


def part_name(part: Json) -> str:
    """Return the name of a part of a hotspot for readers."""
    return f"{part['zone'] or 'part'} #{part['hotspot']}, part {part['id']}"


def engine_name(row: Json) -> str:
    """Return an engine's name, with its number of workers if it has several."""
    return f"{row['engine']} x{row['n_workers']}" if row["n_workers"] > 1 else str(row["engine"])


def commands(content: Content) -> list[str]:
    """Return the commands that reproduce each part."""
    further = ("max_spread_m",) if content.clustering.get("max_spread_m") else ()
    found = [_command("cluster", content.clustering, ("eps_m", "min_samples", "engine", *further))]
    if content.comparison:
        found.append(_command("compare", content.comparison, ("engines", "sizes", "repeats", "eps_m", "min_samples")))
    if content.sweep:
        found.append(_command("sweep", content.sweep, ("eps_m", "min_samples", "engine")))
    return [*found, "cabstand report"]


def _command(job: str, result: Json, names: Sequence[str]) -> str:
    words = [f"cabstand {job} --input {result['source']['uri']}"]
    words += [f"--{name.replace('_', '-')} {_text(result[name])}" for name in names]
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
