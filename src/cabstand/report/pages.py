"""Render self-contained HTML pages of one design: the report, the evidence of `cabstand verify`, a pipeline's run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cabstand.clustering import chaining
from cabstand.report import downloads, maps, pictures
from cabstand.report.content import TABLE_HOTSPOTS, Content, busiest_hour, commands, engine_name, name_of, part_name
from cabstand.report.figures import Figure


def render(content: Content, figures: list[Figure], *, made_at: str, version: str) -> str:
    """Return the report; `made_at` and `version` are shown in its footer."""
    return _page(
        "report.html.j2",
        style=_static("leaflet.css"),
        content=content,
        figures={figure.name: _embedded(figure) for figure in figures},
        map_data=maps.page_data(content),
        csv=downloads.csv_address(content),
        geojson=downloads.geojson_address(content),
        n_shown=TABLE_HOTSPOTS,
        parts=content.parts[:TABLE_HOTSPOTS],
        chain=_chain(content),
        commands=commands(content),
        script=_static("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "") + _static("report.js"),
        made_at=made_at,
        version=version,
    )


def evidence(content: Mapping[str, Any]) -> str:
    """Return the evidence as one self-contained HTML page; what was not checked is grouped by subject."""
    checks = content["checks"]
    missing: dict[tuple[str, str], list[str]] = {}
    for one in checks:
        if one["status"] == "not checked":
            missing.setdefault((one["subject"], one["reason"]), []).append(one["figure"])
    return _page(
        "evidence.html.j2",
        checked=[one for one in checks if one["status"] != "not checked"],
        not_checked=[{"subject": name, "reason": why, "figures": found} for (name, why), found in missing.items()],
        protocols=sorted({one["protocol"] for one in checks if one["protocol"]}),
        **{"months": {}, **content},
    )


def run(manifest: Mapping[str, Any]) -> str:
    """Return a run's manifest as one self-contained HTML page: its steps, their times and results."""
    steps = {name: {**step, "seconds": _seconds(step)} for name, step in manifest["steps"].items()}
    known = [step["seconds"] for step in steps.values() if step["seconds"] is not None]
    return _page(
        "run.html.j2",
        run_key=manifest["run_key"],
        params=manifest["params"],
        steps=steps,
        n_done=sum(step["status"] == "done" for step in steps.values()),
        failed=any(step["status"] == "failed" for step in steps.values()),
        seconds=sum(known) if known else None,
        highlights=_highlights(manifest["steps"]),
    )


def site(versions: Sequence[Mapping[str, Any]]) -> str:
    """Return the index of the results site: `at` (UTC), `title`, `name` and `files` of each version, newest first."""
    return _page("site.html.j2", versions=versions)


def _chain(content: Content) -> str:
    """Return what to say of hotspots that chain together, if they do."""
    found = content.clustering.get("chaining")
    said = chaining.sentence(found, divided=bool(content.parts)) if found else ""
    return said[:1].upper() + said[1:]


def _highlights(steps: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a run that a reader looks for first, as far as the run has got."""
    wanted = (("report", "rows", "rows"), ("cluster", "n_clusters", "hotspots"), ("publish", "decision", "by the gate"))
    results = {name: step.get("result", {}) for name, step in steps.items()}
    return {label: results[step][key] for step, key, label in wanted if key in results.get(step, {})}


def _seconds(step: Mapping[str, Any]) -> float | None:
    if not step.get("ended"):
        return None
    return (datetime.fromisoformat(step["ended"]) - datetime.fromisoformat(step["started"])).total_seconds()


def _page(template: str, *, style: str = "", **content: Any) -> str:
    return _templates().get_template(template).render(style=style + _static("page.css"), **content)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("cabstand.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": _number, "share": "{:.1%}".format, "hotspot": name_of, "part": part_name}
    made.filters["engine"] = engine_name
    made.filters |= {
        "busiest": _busiest,
        "words": _words,
        "as_column": lambda name: [name],
        "duration": _duration,
        "moment": _moment,
    }
    return made


def _embedded(figure: Figure) -> dict[str, str]:
    sizes: Sequence[tuple[str, int]] = (("", pictures.WIDE), ("narrow_", pictures.NARROW))
    drawn = {
        f"{size}{theme}": pictures.svg_address(figure.chart, theme, width)
        for size, width in sizes
        for theme in ("light", "dark")
        if figure.name != "map"  # which the page draws itself
    }
    return {"title": figure.title, "alt": figure.alt, "caption": figure.caption, **drawn}


def _number(value: Any, digits: int = 3) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _busiest(spot: Mapping[str, Any]) -> str:
    hour = busiest_hour(spot)
    return "\u2013" if hour is None else f"{hour:02d}:00"


def _words(name: Any) -> str:
    words = [{"uri": "file", "n": ""}.get(word, word) for word in str(name).split("_")]
    return " ".join(word for word in words if word)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _static(name: str) -> str:
    return files("cabstand.report").joinpath("static", name).read_text(encoding="utf-8")
