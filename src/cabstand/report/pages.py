"""Render self-contained HTML pages of one design: the report, the evidence of `cabstand verify`, the site's index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cabstand.clustering import chaining
from cabstand.report import downloads, maps, pictures
from cabstand.report.content import TABLE_HOTSPOTS, Content, commands, steady
from cabstand.report.figures import Figure
from cabstand.report.templating import page, static


def render(content: Content, figures: list[Figure], *, made_at: str, version: str) -> str:
    """Return the report; `made_at` and `version` are shown in its footer."""
    return page(
        "report.html.j2",
        style=static("leaflet.css"),
        script=map_script(),
        made_at=made_at,
        version=version,
        **sections(content, figures),
    )


def sections(content: Content, figures: Sequence[Figure]) -> dict[str, Any]:
    """Return what the templates in `sections` show of a clustering and what is beside it."""
    return {
        "content": content,
        "figures": {figure.name: embedded(figure) for figure in figures},
        "map_data": maps.page_data(content),
        "csv": downloads.csv_address(content),
        "geojson": downloads.geojson_address(content),
        "n_shown": TABLE_HOTSPOTS,
        "parts": content.parts[:TABLE_HOTSPOTS],
        "chain": _chain(content),
        "steady": steady(content.sweep),
        "commands": commands(content),
    }


def map_script() -> str:
    """Return the script of a page with a map and a table of hotspots."""
    leaflet = static("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "")
    return leaflet + static("map.js") + static("table.js")


def evidence(content: Mapping[str, Any]) -> str:
    """Return the evidence as one self-contained HTML page; what was not checked is grouped by subject."""
    checks = content["checks"]
    missing: dict[tuple[str, str], list[str]] = {}
    for one in checks:
        if one["status"] == "not checked":
            missing.setdefault((one["subject"], one["reason"]), []).append(one["figure"])
    return page(
        "evidence.html.j2",
        checked=[one for one in checks if one["status"] != "not checked"],
        not_checked=[{"subject": name, "reason": why, "figures": found} for (name, why), found in missing.items()],
        protocols=sorted({one["protocol"] for one in checks if one["protocol"]}),
        **{"months": {}, **content},
    )


def versions_index(versions: Sequence[Mapping[str, Any]]) -> str:
    """Return the index of the site's versions: `at` (UTC), `title`, `name`, `page`, `files` of each, newest first."""
    return page("versions.html.j2", versions=versions)


def _chain(content: Content) -> str:
    """Return what to say of hotspots that chain together, if they do."""
    found = content.clustering.get("chaining")
    said = chaining.sentence(found, divided=bool(content.parts)) if found else ""
    return said[:1].upper() + said[1:]


def embedded(figure: Figure) -> dict[str, str]:
    """Return a figure with its pictures for both schemes and both widths of screens."""
    sizes: Sequence[tuple[str, int]] = (("", pictures.WIDE), ("narrow_", pictures.NARROW))
    drawn = {
        f"{size}{theme}": pictures.svg_address(figure.chart, theme, width)
        for size, width in sizes
        for theme in ("light", "dark")
        if figure.name != "map"  # which the page draws itself
    }
    return {"title": figure.title, "alt": figure.alt, "caption": figure.caption, **drawn}
