"""Pages of text and tables: the evidence of `cabstand verify`, and a pipeline's run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def evidence(content: Mapping[str, Any]) -> str:
    """Return the evidence as one self-contained HTML page."""
    protocols = sorted({one["protocol"] for one in content["checks"] if one["protocol"]})
    return environment().get_template("evidence.html.j2").render(protocols=protocols, **content)


def run(manifest: Mapping[str, Any]) -> str:
    """Return a run's manifest as one self-contained HTML page: its steps, their times and results."""
    return environment().get_template("run.html.j2").render(**manifest)


def environment() -> Environment:
    """Return the environment of this package's templates."""
    made = Environment(
        loader=PackageLoader("cabstand.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json"] = partial(json.dumps, indent=1)
    return made
