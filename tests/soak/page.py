"""One page with the conditions, the figures and two pictures of a soak."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from typing import Any

import altair as alt

from cabstand.report import pictures
from soak.memory import Samples
from soak.traffic import Answer
from soak.verdict import latencies

WIDTH, HEIGHT, BINS = 900, 260, 60
Events = Sequence[tuple[float, float, str]]
STYLE = (
    "body{font:15px/1.4 sans-serif;max-width:940px;margin:2em auto}"
    "td,th{padding:.1em .8em;text-align:right}img{width:100%}"
)


def render(result: dict[str, Any], answers: Sequence[Answer], samples: Samples, events: Events) -> str:
    """Return the page as HTML that needs nothing else."""
    begun = min(one.at for one in answers)
    title = f"Soak of {result['seconds'] / 60:.0f} minutes: {'passed' if result['passed'] else 'FAILED'}"
    held = "".join(f"<li>{'ok' if holds else 'FAIL'}: {escape(what)}</li>" for what, holds in result["checks"].items())
    latency = pictures.png(_latency(answers, events, begun), "Milliseconds of good answers", width=WIDTH)
    memory = pictures.png(_memory(samples, begun), "Resident memory, MiB", width=WIDTH)
    images = "".join(
        f'<img alt="{alt_text}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        for alt_text, data in (("latency over time", latency), ("memory over time", memory))
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><ul>{held}</ul>{_figures(result)}{images}{_table(result['latency_ms'])}</html>\n"
    )


def _figures(result: dict[str, Any]) -> str:
    requests, logged = result["requests"], result["predictions"]
    growth = "; ".join(
        f"{one['process']}: {one['growth']:+.1%} of {one['before_mib']:.0f} MiB" for one in result["memory"]
    )
    faults = ", ".join(f"{n} {escape(action)}" for action, n in result["s3_faults"].items())
    return (
        f"<p>{requests['sent']:,} requests, {requests['failed']} failed, {requests['broken_by_s3']} broken by S3. "
        f"{logged['answered']:,} predictions answered, {logged['logged']:,} logged, {logged['dropped']} dropped. "
        f"{len(result['promoted'])} models promoted. Faults of S3: {faults}. Memory: {escape(growth)}.</p>"
    )


def _table(rows: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(rows.values())))
    head = "".join(f"<th>{name}</th>" for name in ("milliseconds", *names))
    lines = (
        f"<tr><th>{escape(kind)}</th>" + "".join(f"<td>{row[name]:,}</td>" for name in names) + "</tr>"
        for kind, row in rows.items()
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _latency(answers: Sequence[Answer], events: Events, begun: float) -> alt.LayerChart:
    width_s = max((one.at for one in answers), default=begun) - begun or 1.0
    parts: dict[int, list[Answer]] = defaultdict(list)
    for one in answers:
        parts[min(int((one.at - begun) / width_s * BINS), BINS - 1)].append(one)
    rows = [
        {"minute": (number + 0.5) * width_s / BINS / 60, "percentile": name, "ms": found["all"][name]}
        for number, part in sorted(parts.items())
        if "all" in (found := latencies(part))
        for name in ("p50", "p95", "p99")
    ]
    marks = [{"minute": (at - begun) / 60, "what": what} for at, _, what in events]
    minute = alt.X("minute:Q", title="minute")
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line()
        .encode(
            x=minute,
            y=alt.Y("ms:Q", scale=alt.Scale(type="log"), title="ms"),
            color=alt.Color("percentile:N", title=None),
        )
    )
    base = alt.Chart(alt.Data(values=marks)).encode(x=minute)
    texts = base.mark_text(angle=270, align="right", dy=-6, fontSize=10).encode(text="what:N", y=alt.value(4))
    return alt.layer(base.mark_rule(strokeDash=[3, 3], opacity=0.5), texts, lines).properties(height=HEIGHT)


def _memory(samples: Samples, begun: float) -> alt.Chart:
    rows = [
        {"minute": (at - begun) / 60, "process": name, "mib": mib} for name, both in samples.items() for at, mib in both
    ]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line()
        .encode(
            x=alt.X("minute:Q", title="minute"),
            y=alt.Y("mib:Q", title="MiB", scale=alt.Scale(zero=False)),
            color=alt.Color("process:N", title=None),
        )
        .properties(height=HEIGHT)
    )
