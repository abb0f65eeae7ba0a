"""The benchmark as a picture: CPU seconds over points, for each engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAMES = {"cabstand": "cabstand", "dbscan": "dbscan 1.0.0 (planar)", "scikit-learn": "scikit-learn, kd_tree (planar)"}
COLOURS = {"cabstand": "#0b6e4f", "dbscan": "#c1666b", "scikit-learn": "#48639c"}


def rows(trials: dict[str, Any]) -> list[dict[str, Any]]:
    """Collect what was measured at 50 m and 10 points on one thread."""
    found = {}
    for name, result in trials.items():
        for engine in NAMES:
            if name.startswith(("peers-", "sklearn-")) and engine in result:
                found[engine, result[engine]["n"]] = result[engine]["cpu_s"]
        if name.startswith("threads-"):
            found.setdefault(("cabstand", result["1"]["n"]), result["1"]["cpu_s"])
    return [{"engine": NAMES[e], "points": n, "CPU seconds": s} for (e, n), s in sorted(found.items())]


def draw(trials: dict[str, Any], file: Path) -> None:
    """Write the picture as PNG; nothing if there is nothing to draw."""
    import altair as alt

    data = rows(trials)
    if not data:
        return
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("points:Q", scale=alt.Scale(type="log", domain=[80_000, 30_000_000]), axis=alt.Axis(format="~s")),
        y=alt.Y("CPU seconds:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g")),
        color=alt.Color(
            "engine:N",
            scale=alt.Scale(domain=list(NAMES.values()), range=list(COLOURS.values())),
            legend=alt.Legend(orient="top-left", title=None),
        ),
    )
    values = base.mark_text(dy=-12, fontSize=11).encode(text=alt.Text("CPU seconds:Q", format=".2~g"))
    chart = (base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=60) + values).properties(
        width=560, height=340, title="DBSCAN of New York pickups, eps 50 m, min_samples 10, one thread"
    )
    chart.save(file, scale_factor=2)
