"""Draw what the monitor saw window by window: a figure with its interval and limit, the decision, what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cabstand.report import pictures
from cabstand.report.figures import Figure

Json = Mapping[str, Any]

TITLES = {
    "share": "Share of columns that drifted",
    "error": "Mean absolute error",
    "bias": "Bias",
    "coverage": "Coverage of the intervals",
}
# What a mark says, its colour and its shape: colour alone would tell some readers nothing.
MARKS = {
    "no action": ("#2f9e44", "circle"),
    "watch": ("#f08c00", "square"),
    "retrain, not done yet": ("#e03131", "triangle-right"),
    "retrain, promoted": ("#1c7ed6", "triangle-up"),
    "retrain, refused": ("#e03131", "triangle-down"),
    "retrain, failed": ("#e03131", "cross"),
}
OUTCOMES = ("promoted", "refused", "failed")  # the first that a decision has counts: failures are tried again
HEIGHT = 260


@pictures.unchecked()
def figures(decisions: Sequence[Json]) -> list[Figure]:
    """Return a chart for each figure that at least two windows have, of the problem with the most windows.

    Parameters
    ----------
    decisions : sequence of mapping
        Records of the ledger as dictionaries, in any order, each with its `outcomes`: a list, perhaps empty, of
        mappings whose `decision` says what became of the retraining.
    """
    problems = [one["problem"] for one in decisions]
    problem = max(sorted(set(problems)), key=problems.count, default=None)
    windows = _newest(one for one in decisions if one["problem"] == problem)
    found = []
    for name, title in TITLES.items():
        rows = [row for one in windows if (row := _row(one, name))]
        if len(rows) > 1:
            caption = (
                f"{problem}, by the start of each window. Bars are confidence intervals, the dashed line the limit."
            )
            scale = alt.Scale(domain=[0, 1]) if name == "share" else alt.Scale(zero=False)
            found.append(Figure(f"drift_{name}", title, _chart(rows, scale), _alt(rows, title), caption))
    return found


def came_of(decision: Json) -> str:
    """Return what a mark says of a decision: its action and, for retraining, what came of it."""
    if decision["action"] != "retrain":
        return "no action" if decision["action"] == "none" else str(decision["action"])
    seen = {str(one.get("decision")) for one in decision.get("outcomes", ())}
    return f"retrain, {next((one for one in OUTCOMES if one in seen), 'not done yet')}"


def _newest(decisions: Any) -> list[Json]:
    """Return one decision for each window of a model, the last, which knows the truth; in order of time."""
    found = {(str(one["start"]), str(one["end"]), one["version"]): one for one in sorted(decisions, key=_at)}
    return [found[key] for key in sorted(found)]


def _at(decision: Json) -> str:
    return str(decision["at"])


def _row(decision: Json, name: str) -> dict[str, Any] | None:
    numbers = decision["numbers"]
    if (value := numbers.get(name)) is None:
        return None
    limit = numbers.get("share_threshold" if name == "share" else f"{name}_limit")
    if name == "bias" and limit is not None and value < 0:
        limit = -limit  # the policy's holds on both sides
    ends = {end: numbers.get(f"{name}_{end}", value) for end in ("low", "high")}
    at = str(decision["start"]).replace(" ", "T")
    return {"at": at, "value": value, "limit": limit, "decision": came_of(decision), **ends}


def _chart(rows: Sequence[Json], scale: alt.Scale) -> alt.LayerChart:
    shown = [name for name in MARKS if any(row["decision"] == name for row in rows)]
    colours, shapes = zip(*(MARKS[name] for name in shown), strict=True)
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("at:T", title="start of the window, UTC", scale=alt.Scale(type="utc", padding=12))
    )
    colour = alt.Color("decision:N", title=None, scale=alt.Scale(domain=shown, range=list(colours)))
    shape = alt.Shape("decision:N", title=None, scale=alt.Scale(domain=shown, range=list(shapes)))
    y = alt.Y("value:Q", title=None, scale=scale)  # the figure's title says it
    grey = "#868e96"
    limit = base.mark_line(strokeDash=[4, 4], color=grey, interpolate="step").encode(y=alt.Y("limit:Q", title=None))
    line = base.mark_line(strokeWidth=1, color=grey).encode(y=y)
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=None), y2="high:Q", color=colour)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y=y, color=colour, shape=shape)
    return alt.layer(limit, line, bars, points).properties(height=HEIGHT)


def _alt(rows: Sequence[Json], title: str) -> str:
    """Return the last window's value and decision in words, for those who do not see the chart."""
    last = rows[-1]
    return f"{title}, {len(rows)} windows; in the last one {last['value']:.3g}: {last['decision']}"
