"""Pictures of a trained model: calibration, errors by segment, importance of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cabstand.report import pictures

FEW = 12  # most bars that have room for long labels


@pictures.unchecked()
def calibration(rows: Sequence[Mapping[str, float]], unit: str) -> bytes:
    """Return a PNG of mean truth by mean prediction, one point per bin; a calibrated model is on the diagonal."""
    top = max(max(row["predicted"], row["actual"]) for row in rows)
    ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": top, "y": top}])
    diagonal = alt.Chart(ends).mark_line(strokeDash=[4, 4], color="gray")
    points = alt.Chart(alt.Data(values=[dict(row) for row in rows])).mark_point(filled=True, size=50)
    return _png(
        diagonal.encode(x="x:Q", y="y:Q")
        + points.encode(
            x=alt.X("predicted:Q", title=f"predicted ({unit})" if unit else "predicted"),
            y=alt.Y("actual:Q", title="actual, mean of the bin"),
        ),
        "Calibration",
    )


@pictures.unchecked()
def errors(rows: Sequence[Mapping[str, Any]], segment: str, metric: str, unit: str) -> bytes:
    """Return a PNG of the mean loss by value of one segment, with the number of rows where there is room."""
    values = [row for row in rows if row["segment"] == segment]
    few = len(values) <= FEW
    data = [{"value": f"{row['value']} ({row['n']:,})" if few else row["value"], "loss": row["loss"]} for row in values]
    x = alt.X("value:N", title=f"{segment} (rows)" if few else segment).axis(labelAngle=-30 if few else 0)
    what = "mean squared error" if metric == "rmse" else f"{metric}, {unit}".rstrip(", ")
    y = alt.Y("loss:Q", title=f"mean loss ({what})")
    return _png(alt.Chart(alt.Data(values=data)).mark_bar().encode(x=x, y=y), f"Error by {segment}")


@pictures.unchecked()
def importance(found: Mapping[str, float]) -> bytes:
    """Return a PNG of the loss that shuffling each feature adds."""
    values = [{"feature": name, "loss": value} for name, value in found.items()]
    chart = alt.Chart(alt.Data(values=values)).mark_bar()
    axis = alt.X("loss:Q", title="loss added by shuffling the feature")
    return _png(chart.encode(x=axis, y=alt.Y("feature:N", sort="-x", title=None)), "Permutation importance")


def _png(chart: Any, title: str) -> bytes:
    return pictures.png(chart.properties(height=380), title)
