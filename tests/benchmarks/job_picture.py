"""The benchmark of whole jobs as a picture: CPU seconds of each run, a panel for each job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TITLES = {
    "cluster": "cluster, {n} points",
    "sweep": "sweep, 30 settings, {n} points",
    "ingest": "ingest, {n} rows",
    "distributed": "cluster on Dask, {n} points",
}
PEERS = ("floor", "30 fits", "DuckDB")  # what a job is measured against
ROOM = 1.15  # of the longest bar, for the figure beside it
OURS, THEIRS = "#0b6e4f", "#c1666b"


def rows(name: str, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a panel's bars, in the order of the runs."""
    colours = {True: THEIRS, False: OURS}
    return [
        {"run": run, "CPU seconds": found["cpu_s"], "colour": colours[run in PEERS]} for run, found in result.items()
    ]


def draw(trials: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Write the picture as PNG; nothing if there is nothing to draw."""
    import altair as alt

    panels = []
    for name, result in trials.items():
        if title := TITLES.get(name.partition("-")[0]):
            n = next(iter(result.values()))["n"]
            most = max(found["cpu_s"] for found in result.values())
            base = alt.Chart(alt.Data(values=rows(name, result))).encode(
                x=alt.X("CPU seconds:Q", scale=alt.Scale(domain=[0, ROOM * most], nice=False)),
                y=alt.Y("run:N", sort=list(result), title=None, axis=alt.Axis(minExtent=80)),
            )
            bars = base.mark_bar().encode(color=alt.Color("colour:N", scale=None))
            values = base.mark_text(align="left", dx=4).encode(text=alt.Text("CPU seconds:Q", format=".1f"))
            panels.append((bars + values).properties(width=300, title=title.format(n=f"{n / 1e6:.3g} million")))
    if panels:
        alt.vconcat(*panels).save(file, scale_factor=2)
