"""The evidence as a page: one table of expected and actual, readable anywhere and offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>cabstand: evidence</title><style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8888; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.pass { font-weight: 600; } .fail { font-weight: 700; background: #c002; } .status::before { margin-right: .4em; }
.pass .status::before { content: "\\2713"; } .fail .status::before { content: "\\2717"; }
</style></head><body><main>
<h1>Evidence</h1>
<p>{{ summary['pass'] }} passed, {{ summary['fail'] }} failed, {{ summary['not checked'] }} not checked;
{{ made_at }}, code {{ code.version }}. Again: <code>cabstand verify --data DIR</code></p>
<div class="wide" tabindex="0" role="region" aria-label="Figures"><table><thead><tr><th>what<th>figure<th>expected
<th>actual<th>tolerance<th>result</tr></thead><tbody>
{% for one in checks %}<tr class="{{ one.status }}"><td title="{{ one.protocol }}">{{ one.subject }}<td>{{ one.figure }}
<td class="number">{{ one.expected }}<td class="number">{{ one.actual if one.actual is not none }}
<td class="number">{{ one.tolerance }}
<td class="status">{{ one.status }}{% if one.reason %}: {{ one.reason }}{% endif %}
</tr>{% endfor %}</tbody></table></div>
<h2>Protocols</h2><ul>{% for text in protocols %}<li>{{ text }}</li>{% endfor %}</ul>
<h2>Data</h2><div class="wide" tabindex="0" role="region" aria-label="Hashes">
<table><thead><tr><th>file<th>SHA-256</tr></thead>
<tbody>{% for name, sha256 in data.items() %}<tr><td>{{ name }}<td><code>{{ sha256 }}</code></tr>{% endfor %}
</tbody></table></div>
<h2>Environment</h2><p>Python {{ environment.python }}, {{ environment.platform }};
{% for name, version in environment.libraries.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}
{% endfor %}</p>
</main></body></html>
"""


def page(content: Mapping[str, Any]) -> str:
    """Return the evidence as one self-contained HTML page."""
    from jinja2 import Environment

    protocols = sorted({one["protocol"] for one in content["checks"] if one["protocol"]})
    template = Environment(autoescape=True).from_string(_TEMPLATE)
    return template.render(protocols=protocols, **content)
