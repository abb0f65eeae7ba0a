"""Draw the report's charts from published results, one function each; the picture decides on their width."""

from __future__ import annotations

from typing import Any

import altair as alt

from cabstand.report.content import Content, Json, engine_name, name_of

SCALE = "viridis"
HEIGHT = 320  # with axes and legend


def hours(content: Content, top: int = 15) -> alt.Chart:
    """Draw the share of each of the largest hotspots' pickups by hour."""
    spots = [spot for spot in content.hotspots if spot["hours"]][:top]
    cells = [
        {"hotspot": name_of(spot), "hour": hour, "share": share}
        for spot in spots
        for hour, share in enumerate(spot["hours"])
    ]
    return (
        alt.Chart(alt.Data(values=cells))
        .mark_rect()
        .encode(
            x=alt.X("hour:O", title="hour of the day", axis=alt.Axis(labelAngle=0, values=list(range(0, 24, 3)))),
            y=alt.Y("hotspot:N", sort=[name_of(spot) for spot in spots], title=None),
            color=alt.Color("share:Q", scale=alt.Scale(scheme=SCALE), legend=alt.Legend(format="%", title="share")),
        )
        .properties(height=24 * max(len(spots), 1) + 90)
    )


def speedup(comparison: Json) -> alt.LayerChart:
    """Draw each engine's speed-up over the baseline with its 95 % interval."""
    rows = [row for row in _engines(comparison) if row["speedup"] is not None]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("n_points:O", title="points", axis=alt.Axis(format=",", labelAngle=0)),
        xOffset=alt.XOffset("name:N"),
        color=_engine_colour(),
    )
    low_high = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("speedup_low:Q", scale=alt.Scale(type="log"), title=f"times as fast as {comparison['baseline']}"),
        y2="speedup_high:Q",
    )
    return alt.layer(low_high, base.mark_point(filled=True, size=70).encode(y="speedup:Q")).properties(height=HEIGHT)


def times(comparison: Json) -> alt.Chart:
    """Draw the CPU seconds of each engine by number of points."""
    return (
        alt.Chart(alt.Data(values=_engines(comparison)))
        .mark_line(point=True)
        .encode(
            x=alt.X("n_points:Q", scale=alt.Scale(type="log"), title="points", axis=alt.Axis(format="~s")),
            y=alt.Y("cpu_s:Q", scale=alt.Scale(type="log"), title="CPU seconds", axis=alt.Axis(format="~g")),
            color=_engine_colour(),
        )
        .properties(height=HEIGHT)
    )


def memory(comparison: Json) -> alt.Chart:
    """Draw the memory that each engine used besides its input, mean of the trials."""
    return (
        alt.Chart(alt.Data(values=_engines(comparison)))
        .mark_bar()
        .encode(
            x=alt.X("n_points:O", title="points", axis=alt.Axis(format=",", labelAngle=0)),
            xOffset=alt.XOffset("name:N"),
            y=alt.Y("working_mb:Q", title="working memory, MB"),
            color=_engine_colour(),
        )
        .properties(height=HEIGHT)
    )


def sweep(result: Json) -> alt.LayerChart:
    """Draw how many clusters each pair of parameters finds."""
    rows = [
        {**row, "text": f"({row['n_clusters']:,})" if row.get("chains") else f"{row['n_clusters']:,}"}
        for row in result["table"]
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("eps_m:O", title="eps, m", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("min_samples:O", title="min_samples", sort="descending"),
    )
    squares = base.mark_rect().encode(
        color=alt.Color(
            "noise_share:Q", scale=alt.Scale(scheme=SCALE, reverse=True), legend=alt.Legend(format="%", title="noise")
        )
    )
    # White on the dark half of the scale, black on the light one.
    text = base.mark_text().encode(
        text="text:N",
        color=alt.condition("datum.noise_share > 0.5", alt.value("white"), alt.value("black")),
    )
    return alt.layer(squares, text).properties(height=HEIGHT)


def k_distance(result: Json) -> alt.LayerChart:
    """Draw the sorted distances to the k-th neighbour and the recommended eps, if there is one."""
    curve, suggested = result["k_distance"]["curve_m"], result["k_distance"]["suggested_eps_m"]
    points = [{"share": i / max(len(curve) - 1, 1), "distance_m": max(d, 0.1)} for i, d in enumerate(curve)]
    y = alt.Y(
        "distance_m:Q", scale=alt.Scale(type="log"), title=f"distance to neighbour {result['k_distance']['k']}, m"
    )
    line = (
        alt.Chart(alt.Data(values=points))
        .mark_line()
        .encode(x=alt.X("share:Q", axis=alt.Axis(format="%"), title="share of the points sampled"), y=y)
    )
    at = [] if suggested is None else [{"distance_m": suggested}]
    rule = alt.Chart(alt.Data(values=at)).mark_rule(strokeDash=[4, 4]).encode(y=y)
    return alt.layer(line, rule).properties(height=HEIGHT)


def _engine_colour() -> alt.Color:
    return alt.Color("name:N", title="engine", scale=alt.Scale(scheme="tableau10"))


def _engines(comparison: Json) -> list[dict[str, Any]]:
    """Return the measured rows with the engine's name."""
    return [{**row, "name": engine_name(row)} for row in comparison["table"] if row["status"] == "measured"]
