"""Render a page's template: self-contained, with the one stylesheet, and with the filters that templates use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cabstand.report.content import busiest_hour, engine_name, name_of, part_name


def page(template: str, *, style: str = "", **content: Any) -> str:
    """Return a page; `nav` in `content` has what leads to the other pages of a site."""
    return (
        _templates()
        .get_template(template)
        .render(style=style + static("page.css"), **{"nav": (), "synthetic": False, **content})
    )


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("cabstand.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": _number,
        "share": "{:.1%}".format,
        "percent": "{:.0%}".format,
        "hotspot": name_of,
        "part": part_name,
    }
    made.filters["engine"] = engine_name
    made.filters |= {
        "busiest": _busiest,
        "words": _words,
        "as_column": lambda name: [name],
        "duration": _duration,
        "moment": _moment,
        "took": _took,
        "usd": _usd,
        "to_minute": _to_minute,
    }
    return made


def _number(value: Any, digits: int = 3) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _usd(value: float) -> str:
    """Return dollars with cents, or with as many digits as show two that are not zero."""
    return f"{value:,.{max(2, 1 - math.floor(math.log10(value))) if value > 0 else 2}f}"


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


def _to_minute(at: datetime) -> str:
    """Return a time in UTC to the minute, or its day alone at midnight."""
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute) == (0, 0) else f"{at:%Y-%m-%d %H:%M}"


def _took(step: Mapping[str, Any]) -> str:
    """Return how long something took that has `started` and, if it is over, `ended`."""
    if not step.get("started") or not step.get("ended"):
        return "\u2013"
    return _duration((datetime.fromisoformat(step["ended"]) - datetime.fromisoformat(step["started"])).total_seconds())


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def static(name: str) -> str:
    """Return a file of the folder `static`."""
    return files("cabstand.report").joinpath("static", name).read_text(encoding="utf-8")
