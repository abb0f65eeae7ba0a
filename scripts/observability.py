"""Make Prometheus's rules, Grafana's dashboard and docs/metrics.md of the catalogue of metrics, alarms and panels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cabstand.observability import catalogue

Document = dict[str, Any]
HERE = Path(__file__).resolve().parents[1]
SOURCE = {"type": "prometheus", "uid": "${source}"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
NOTE = "# Made of src/cabstand/observability/catalogue.yaml by `make docs`.\n"
HEAD = """# Metrics and alarms

[catalogue.yaml](../src/cabstand/observability/catalogue.yaml) declares each metric, alarm and panel once. From it come
CloudWatch's alarms and dashboard, [rules.yml](../observability/rules.yml) for Prometheus,
[dashboard.json](../observability/dashboard.json) for Grafana, and this page (`make docs`); a test compares them.

On AWS the alarms are called `<name>-<alarm>`, such as `cabstand-dev-workflow-slow`, and write to the topic
`<name>-alarms`. Elsewhere, Prometheus scrapes two addresses, which
[prometheus.yml](../observability/prometheus.yml) names:

```sh
cabstand serve &                    # /metrics, for a key whose scope is metrics
cabstand runs exporter --port 9108  # the runs in the lake, and the CPUs of this machine
```

The exporter counts as CloudWatch does: the run of a workflow is one job, and a pipeline inside it is none. It reads
[journals](workflows.md), so it does not know a `train` or `compare` by hand; a run that was resumed counts once, with
the time of its steps; and one that was killed counts as failed, while on AWS `jobs-not-started` tells of it. In
Grafana, import the dashboard under Dashboards, New, Import.

## Alarms

| alarm | rings when | CloudWatch | Prometheus |
|---|---|---|---|
"""


def main() -> None:
    """Write the three files."""
    for path, text in made(catalogue()).items():
        path.write_text(text, encoding="utf-8")


def made(declared: Document) -> dict[Path, str]:
    """Return the content of each file that is made of the catalogue."""
    return {
        HERE / "observability/rules.yml": NOTE + yaml.safe_dump(rules(declared), sort_keys=False, width=200),
        HERE / "observability/dashboard.json": json.dumps(dashboard(declared), indent=1) + "\n",
        HERE / "docs/metrics.md": page(declared),
    }


def rules(declared: Document, speed: float = 1.0) -> Document:
    """Return Prometheus's rules; with a `speed` of 60 every span of time in them is a 60th, as a test wants it."""
    alarms = declared["alarms"].items()
    found = [_rule(name, alarm, speed) for name, alarm in alarms if "prometheus" in alarm]
    return {"groups": [{"name": "cabstand", "rules": found}]}


def _rule(name: str, alarm: Document, speed: float) -> Document:
    how = alarm["prometheus"]
    value = re.sub(r"\[(\d+[smhd])\]", lambda span: f"[{_span(span[1], speed)}]", how["expr"])
    return {
        "alert": alert(name),
        "expr": f"({value}) {alarm['comparison']} {alarm['threshold']}",
        **({"for": _span(how["for"], speed)} if "for" in how else {}),
        "labels": {"severity": "warning", "service": "cabstand"},
        "annotations": {"summary": _meaning(alarm), "description": f"The value is {{{{ $value }}}} ({alarm['unit']})."},
    }


def alert(name: str) -> str:
    """Return an alarm's name in Prometheus: WorkflowSlow for workflow-slow."""
    return "".join(word.capitalize() for word in name.split("-"))


def _span(text: str, speed: float) -> str:
    return text if speed == 1 else f"{round(int(text[:-1]) * SECONDS[text[-1]] * 1000 / speed)}ms"


def _meaning(alarm: Document) -> str:
    return str(alarm["meaning"]).replace("{threshold}", str(alarm["threshold"]))


def dashboard(declared: Document) -> Document:
    """Return Grafana's dashboard."""
    panels = [panel for panel in declared["panels"] if "prometheus" in panel]
    source = {"type": "datasource", "name": "source", "label": "Prometheus", "query": "prometheus"}
    return {
        "uid": "cabstand",
        "title": "cabstand",
        "tags": ["cabstand"],
        "schemaVersion": 41,
        "editable": True,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Document) -> Document:
    exprs = enumerate(panel["prometheus"].items())
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel["title"],
        "datasource": SOURCE,
        "gridPos": {"x": number % 3 * 8, "y": number // 3 * 8, "w": 8, "h": 8},
        "fieldConfig": {"defaults": {"unit": panel["unit"]}, "overrides": []},
        "options": {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for place, (legend, expr) in exprs
        ],
    }


def page(declared: Document) -> str:
    """Return the page of the documentation."""
    rows = [
        (f"`{name}`", _meaning(alarm), _on_cloudwatch(alarm), f"`{alert(name)}`" if "prometheus" in alarm else "")
        for name, alarm in declared["alarms"].items()
    ]
    return HEAD + _rows(rows) + "".join(_metrics(declared))


def _on_cloudwatch(alarm: Document) -> str:
    if "cloudwatch" not in alarm:
        return ""
    how = alarm["cloudwatch"]
    value = how.get("formula") or f"{how['metric']}, {how['statistic']}"
    n, seconds = (how["days"], 86_400) if "days" in how else (how["periods"], how["period_seconds"])
    silence = "; no data rings, too" if how["missing"] == "breaching" else ""
    times = f"{n} periods" if n > 1 else "a period"
    return f"{value} {alarm['comparison']} {alarm['threshold']}, {times} of {seconds} s{silence}"


def _metrics(declared: Document) -> Iterator[str]:
    titles = {"service": "`cabstand serve`", "exporter": "`cabstand runs exporter`", "CloudWatch": "CloudWatch"}
    measured = {
        f"{kind}{name}": how | {"meaning": f"{how['meaning'].removesuffix('.')} ({kind.lower()}s)."}
        for kind in sorted({*declared["kinds"].values()}, reverse=True)
        for name, how in declared["measures"].items()
    }
    for source, metrics in declared["metrics"].items():
        every = {**measured, **metrics} if source == "CloudWatch" else metrics
        yield f"\n## Metrics of {titles[source]}\n\n| metric | type | unit | meaning |\n|---|---|---|---|\n"
        yield _rows((f"`{name}`", one.get("type", ""), one["unit"], one["meaning"]) for name, one in every.items())


def _rows(rows: Any) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
