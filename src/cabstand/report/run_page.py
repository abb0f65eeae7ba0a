"""A pipeline's run as a page: its steps, how long each took, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>cabstand: run {{ run_key }}</title><style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8888; }
</style></head><body><main><h1>Run {{ run_key }}</h1>
{% for name, step in steps.items() %}<section><h2>{{ name }}: {{ step.status }}</h2>
<p>{{ step.started }} to {{ step.ended }}, attempt {{ step.attempts }}</p>
<pre tabindex="0">{{ step.told }}</pre></section>{% endfor %}
<h2>Parameters</h2><pre tabindex="0">{{ told }}</pre></main></body></html>
"""


def page(manifest: Mapping[str, Any]) -> str:
    """Return a self-contained HTML page of a run's manifest."""
    from jinja2 import Environment

    steps = {
        name: step | {"told": json.dumps(step.get("result"), indent=1)} for name, step in manifest["steps"].items()
    }
    template = Environment(autoescape=True).from_string(_TEMPLATE)
    told = json.dumps(manifest["params"], indent=1)
    return template.render(run_key=manifest["run_key"], steps=steps, told=told)
