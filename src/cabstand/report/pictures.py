"""Render charts: SVG in light and dark for the page, PNG files for elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import vl_convert

_INK = {"light": "#212529", "dark": "#e9ecef"}
_FAINT = {"light": "#dee2e6", "dark": "#495057"}


def svg_address(chart: Any, theme: str) -> str:
    """Return an Altair chart as a data URI: an SVG in theme "light" or "dark" with a transparent background."""
    svg = vl_convert.vegalite_to_svg(_spec(chart, theme, background=None))
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def write_png(chart: Any, path: Path) -> None:
    """Write the chart as a PNG on white, at twice its nominal size."""
    path.write_bytes(vl_convert.vegalite_to_png(_spec(chart, "light", background="white"), scale=2))


def _spec(chart: Any, theme: str, background: str | None) -> dict[str, Any]:
    ink, faint = _INK[theme], _FAINT[theme]
    spec: dict[str, Any] = chart.to_dict()
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12, "labelLimit": 260}
    spec["background"] = background
    # A browser's font may be wider than the one used to measure the text.
    spec["padding"] = {"left": 40, "right": 40, "top": 5, "bottom": 5}
    spec["config"] = {
        "font": "system-ui, sans-serif",
        "axis": text | {"gridColor": faint, "domainColor": faint, "tickColor": faint},
        "legend": text,
        "rule": {"color": ink},
        "view": {"stroke": None},
    }
    return spec
