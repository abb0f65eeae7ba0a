"""Render charts: SVG in light and dark, wide and narrow for a page, PNG files for elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vl_convert
from altair.utils import schemapi

WIDE, NARROW = 560, 344  # of a picture in pixels: part of a desktop's page, and a phone's without its margins
_INK = {"light": "#212529", "dark": "#e9ecef"}
_PAPER = {"light": "white", "dark": "#10151f"}
_FAINT = {"light": "#dee2e6", "dark": "#495057"}
FONT_SIZE = 13
_LEGEND_BELOW = {"orient": "bottom", "columns": 2, "gradientLength": 150}


@contextmanager
def unchecked() -> Iterator[None]:
    """Let Altair make charts without checking each part against Vega-Lite's schema; also a decorator.

    The checks take longer than drawing, and find mistakes in code alone: tests make them.
    """
    with schemapi.debug_mode(False):
        yield


def svg_address(chart: Any, theme: str, width: int = WIDE) -> str:
    """Return an Altair chart as a data URI: an SVG in theme "light" or "dark" with a transparent background."""
    svg = vl_convert.vegalite_to_svg(_spec(chart, theme, width))
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def png(chart: Any, title: str, note: str = "", width: int = WIDE, theme: str = "light") -> bytes:
    """Return the chart as a PNG, at twice its nominal size, with a title and a note below it."""
    heading = {"text": title, "subtitle": note, "anchor": "start", "fontSize": 16, "subtitleFontSize": 12, "offset": 12}
    spec = _spec(chart, theme, width) | {"background": _PAPER[theme], "title": heading}
    return bytes(vl_convert.vegalite_to_png(json.dumps(spec), scale=2))


def _spec(chart: Any, theme: str, width: int) -> dict[str, Any]:
    ink, faint = _INK[theme], _FAINT[theme]
    spec: dict[str, Any] = chart.to_dict(validate=False)
    narrow = width < WIDE
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": FONT_SIZE, "titleFontSize": FONT_SIZE}
    text |= {"labelLimit": 150 if narrow else 260}
    size = {"width": width, "autosize": {"type": "fit", "contains": "padding"}}
    spec |= size | {"background": None, "padding": 8}
    spec["config"] = {
        "font": "Arial, Helvetica, Liberation Sans, sans-serif",  # as wide where it is measured as where it is shown
        "axis": text
        | {
            "labelOverlap": "greedy",
            "labelSeparation": 6,
            "gridColor": faint,
            "domainColor": faint,
            "tickColor": faint,
        },
        "legend": text | (_LEGEND_BELOW if narrow else {}),
        "title": {"color": ink, "subtitleColor": ink},
        "text": {"fontSize": FONT_SIZE},
        "rule": {"color": ink},
        "view": {"stroke": None},
    }
    return spec
