"""What a report shows: the published results, and helpers that name and select from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the pages of runs show no map
    from cabstand.report.density import Raster

Json = Mapping[str, Any]

MAP_HOTSPOTS = 1000
TABLE_HOTSPOTS = 25  # shown before a search or a click on `all`


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
    outlines: Mapping[int, Any] = field(default_factory=dict)  # ring of [longitude, latitude] by the hotspot's id
    raster: Raster | None = None  # density of the pickups
    week: Sequence[int] = ()  # pickups by hour of the week
    weeks: str | None = None  # packed pickups of the hotspots on the map, by hour of the week
    others: Sequence[Content] = ()  # clusterings of other periods, for the map
    home: str = ""  # the folder that holds it all, if another than the default has to be named

    @property
    def on_map(self) -> Sequence[Json]:
        """The hotspots on the map and in the table."""
        return self.hotspots[:MAP_HOTSPOTS]

    @property
    def timed(self) -> bool:
        """Whether the hours of the pickups are known."""
        return any(spot["hours"] for spot in self.hotspots)

    @property
    def dates(self) -> str:
        """First and last day of the pickups, or the months that were clustered; empty if neither is known."""
        source = self.clustering["source"]
        if source.get("first_at"):
            return day_range(date.fromisoformat(source["first_at"][:10]), date.fromisoformat(source["last_at"][:10]))
        if not self.months:
            return ""
        months = sorted(date.fromisoformat(f"{month['month']}-01") for month in self.months)
        return day_range(months[0], (months[-1] + timedelta(days=31)).replace(day=1) - timedelta(days=1))

    @property
    def title(self) -> str:
        """What tells this clustering from those of other periods."""
        return self.dates or str(self.clustering["source"]["uri"]).rstrip("/").rpartition("/")[2]

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


def steady(sweep: Json | None) -> tuple[int, int] | None:
    """Return the number of clusters that most pairs of a sweep find, and how many do; None if no number has most."""
    counts = Counter(row["n_clusters"] for row in sweep["table"]) if sweep else Counter()
    (n_clusters, n_pairs) = counts.most_common(1)[0] if counts else (0, 0)
    return (n_clusters, n_pairs) if 2 * n_pairs > counts.total() and n_clusters else None


def part_name(part: Json) -> str:
    """Return the name of a part of a hotspot for readers."""
    return f"{part['zone'] or 'part'} #{part['hotspot']}, part {part['id']}"


def busiest_hour(spot: Json) -> int | None:
    """Return the local hour with the most pickups, or None if the hours are unknown."""
    return max(range(24), key=spot["hours"].__getitem__) if spot["hours"] else None


def day_range(first: date, last: date) -> str:
    """Return a range of days as people write it: 1 to 30 April 2014."""
    ends = [f"{first.day}", f"{first:%B}", f"{first.year}"], f"{last.day} {last:%B} {last.year}"
    if first == last:
        return ends[1]
    n_parts = 3 if first.year != last.year else 2 if first.month != last.month else 1
    return f"{' '.join(ends[0][:n_parts])} to {ends[1]}"


def engine_name(row: Json) -> str:
    """Return an engine's name, with its number of workers if it has several."""
    return f"{row['engine']} x{row['n_workers']}" if row["n_workers"] > 1 else str(row["engine"])


def commands(content: Content) -> list[str]:
    """Return the commands that reproduce each part."""
    further = ("max_spread_m",) if content.clustering.get("max_spread_m") else ()
    home = [f"export CABSTAND_HOME={content.home}"] if content.home else []
    found = [*home, _command("cluster", content.clustering, ("eps_m", "min_samples", "engine", *further))]
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
