"""Render self-contained HTML pages: the report, the evidence of `cabstand verify`, and a pipeline's run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cabstand.clustering import chaining
from cabstand.report import maps, pictures
from cabstand.report.content import TABLE_HOTSPOTS, Content, commands, engine_name, name_of, part_name
from cabstand.report.figures import Figure


def render(content: Content, figures: list[Figure], *, made_at: str, version: str) -> str:
    """Return the report; `made_at` and `version` are shown in its footer."""
    templates = _templates()
    templates.filters |= {
        "number": _number,
        "share": "{:.1%}".format,
        "hotspot": name_of,
        "part": part_name,
        "busiest": _busiest,
        "engine": engine_name,
    }
    return templates.get_template("report.html.j2").render(
        content=content,
        figures={figure.name: _embedded(figure) for figure in figures},
        map_data=maps.page_data(content),
        top=content.hotspots[:TABLE_HOTSPOTS],
        parts=content.parts[:TABLE_HOTSPOTS],
        chain=_chain(content),
        commands=commands(content),
        style=_static("leaflet.css") + _static("report.css"),
        script=_static("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "") + _static("report.js"),
        made_at=made_at,
        version=version,
    )  # fmt: skip


def evidence(content: Mapping[str, Any]) -> str:
    """Return the evidence as one self-contained HTML page."""
    protocols = sorted({one["protocol"] for one in content["checks"] if one["protocol"]})
    return _templates().get_template("evidence.html.j2").render(**{"months": {}, "protocols": protocols, **content})


def run(manifest: Mapping[str, Any]) -> str:
    """Return a run's manifest as one self-contained HTML page: its steps, their times and results."""
    return _templates().get_template("run.html.j2").render(**manifest)


def _chain(content: Content) -> str:
    """Return what to say of hotspots that chain together, if they do."""
    found = content.clustering.get("chaining")
    said = chaining.sentence(found, divided=bool(content.parts)) if found else ""
    return said[:1].upper() + said[1:]


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("cabstand.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json"] = partial(json.dumps, indent=1)
    return made


def _embedded(figure: Figure) -> dict[str, str]:
    return {
        "alt": figure.alt,
        "caption": figure.caption,
        "light": pictures.svg_address(figure.chart, "light"),
        "dark": pictures.svg_address(figure.chart, "dark"),
    }


def _busiest(spot: Mapping[str, Any]) -> str:
    hours = spot["hours"]
    return f"{hours.index(max(hours)):02}:00" if hours else "-"


def _number(value: Any, digits: int = 3) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _static(name: str) -> str:
    return files("cabstand.report").joinpath("static", name).read_text(encoding="utf-8")
