"""Choose the charts of a report, and give them captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.report import map_picture, pictures, plots
from cabstand.report.content import Content, Json


@dataclass(frozen=True)
class Figure:
    """A chart with its file name (without suffix), title, alternative text and caption."""

    name: str
    title: str
    chart: Any
    alt: str
    caption: str
    theme: str = "light"  # of its PNG


@pictures.unchecked()
def figures(content: Content) -> list[Figure]:
    """Return the charts of the content that is there."""
    made = []
    when = f", {content.dates}" if content.dates else ""
    if content.hotspots:
        dots = " and lighter dots" if content.raster else ""
        largest = f"Larger marks{dots} have more pickups; the outlines are taxi zones."
        made.append(Figure("map", f"Hotspots{when}", map_picture.draw(content), "Map of the hotspots", largest, "dark"))
    if content.timed:
        made.append(
            Figure(
                "hours",
                f"When the largest hotspots are busy{when}",
                plots.hours(content),
                "Share of each hotspot's pickups in each hour of the day",
                "Each row adds up to one: it shows when a hotspot is busy, not how busy it is.",
            )
        )
    if content.comparison:
        made += _comparison(content.comparison)
    if content.sweep:
        made += _sweep(content.sweep)
    return made


def _sweep(sweep: Json) -> list[Figure]:
    return [
        Figure(
            "sweep",
            "Hotspots by eps and min_samples",
            plots.sweep(sweep),
            "Number of clusters for each eps and min_samples",
            "Numbers are clusters found, in brackets where they chain; colours the share of points left as noise.",
        ),
        Figure(
            "k_distance",
            f"Distance to neighbour {sweep['k_distance']['k']}",
            plots.k_distance(sweep),
            "Sorted distance to the k-th neighbour",
            _k_distance(sweep["k_distance"]),
        ),
    ]


def _k_distance(found: Json) -> str:
    """Say what the dashed line is, and what clustering at the bend of the curve gives."""
    suggested, at_knee = found["suggested_eps_m"], found.get("at_knee")  # an older sweep recommended the bend
    line = "" if suggested is None else f"The dashed line is the recommended eps, {suggested:g} m."
    if at_knee is None:
        return line
    inside = f"{at_knee['n_clusters']:,} clusters with {1 - at_knee['noise_share']:.0%} of the points"
    chains = f", {at_knee['far_share']:.0%} in some that chain together" if at_knee["chains"] else ""
    return f"{line} The curve bends at {found['knee_m']:g} m, which gives {inside}{chains}.".strip()


def _comparison(comparison: Json) -> list[Figure]:
    repeats, baseline = comparison["repeats"], comparison["baseline"]
    return [
        Figure(
            "speedup",
            f"Speed-up over {baseline}",
            plots.speedup(comparison),
            f"Speed-up of each engine over {baseline}",
            f"Ratio of wall times, mean of {repeats} interleaved trials; bars are 95 % bootstrap intervals.",
        ),
        Figure(
            "times",
            "CPU time of each engine",
            plots.times(comparison),
            "CPU seconds of each engine by number of points",
            "Both axes are logarithmic.",
        ),
        Figure(
            "memory",
            "Memory of each engine",
            plots.memory(comparison),
            "Working memory of each engine",
            "Peak memory above the process with its input loaded.",
        ),
    ]
