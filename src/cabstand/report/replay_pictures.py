"""Pictures of a replay: the error of the models in use over the months, and what each choice of limits would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cabstand.report import pictures

Row = Mapping[str, Any]
FIRST, USED = "first model", "model in use"


@pictures.unchecked()
def course(rows: Sequence[Row], unit: str) -> bytes:
    """Return a PNG of the mean absolute error in each window, with and without the retrainings that were asked for."""
    names = [row["window"].replace(" days ", ", ") for row in rows]
    lines = [
        {"window": name, "mae": row[key], "model": model}
        for name, row in zip(names, rows, strict=True)
        for key, model in (("mae", FIRST), ("model_mae", USED))
    ]
    asked = [
        {"window": name, "mae": row["model_mae"]}
        for name, row in zip(names, rows, strict=True)
        if row["action"] == "retrain"
    ]
    x = alt.X("window:O", sort=names, title="window: month, days").axis(labelAngle=-60)
    y = alt.Y("mae:Q", title=f"mean absolute error, {unit}".rstrip(", "), scale=alt.Scale(zero=False))
    colour = alt.Color("model:N", title=None, sort=[FIRST, USED], scale=alt.Scale(scheme="tableau10"))
    dash = alt.StrokeDash("model:N", sort=[FIRST, USED], legend=None)
    line = alt.Chart(alt.Data(values=lines)).mark_line(point=True).encode(x=x, y=y, color=colour, strokeDash=dash)
    marks = alt.Chart(alt.Data(values=asked)).mark_point(shape="triangle-up", size=160, filled=True, color="black")
    note = "Triangles: retraining asked for after that window, at the recommended limits"
    return pictures.png(alt.layer(line, marks.encode(x=x, y=y)).properties(height=380), "Error over the months", note)


@pictures.unchecked()
def choice(trials: Sequence[Row], default: Row, recommended: Row, unit: str) -> bytes:
    """Return a PNG of error saved by number of retrainings, one point for limits that were tried."""
    kinds = [(trials, "tried"), ([default], "in force"), ([recommended], "recommended")]
    values = [
        {"retrainings": row["retrainings"], "saved": row["saved_per_row"], "limits": kind}
        for rows, kind in kinds
        for row in rows
    ]
    order = [kind for _, kind in kinds]
    colours, shapes = ["#868e96", "#d9480f", "#1864ab"], ["circle", "square", "diamond"]
    encoded = (
        alt.Chart(alt.Data(values=values))
        .mark_point(filled=False, strokeWidth=2)
        .encode(
            x=alt.X("retrainings:Q", title="retrainings, over all starts").axis(tickMinStep=1),
            y=alt.Y("saved:Q", title=f"error saved per row, {unit}".rstrip(", ")),
            color=alt.Color("limits:N", scale=alt.Scale(domain=order, range=colours)),
            shape=alt.Shape("limits:N", scale=alt.Scale(domain=order, range=shapes)),
            size=alt.Size("limits:N", scale=alt.Scale(domain=order, range=[40, 140, 320])),
        )
    )
    return pictures.png(encoded.properties(height=380), "What limits would have saved")
