"""The dashboard fits Grafana's schema, which is made of the types that Grafana publishes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

pytestmark = pytest.mark.prometheus
ROOT = Path(__file__).resolve().parents[2]
TYPES = "node_modules/@grafana/schema/dist/types/raw"
TIME_SERIES = f"{TYPES}/composable/timeseries/panelcfg/x/types.gen.d.ts"


@pytest.fixture(scope="module")
def grafana(npm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Grafana's types and the program that makes schemas of them."""
    folder = tmp_path_factory.mktemp("grafana")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "scripts/grafana" / name, folder)
    subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    (folder / "tsconfig.json").write_text('{"compilerOptions": {"skipLibCheck": true, "types": []}}')
    return folder


def validator(folder: Path, file: str, name: str) -> Draft7Validator:
    """Return what checks a value against one of Grafana's types; unknown keys are faults."""
    program = folder / "node_modules/.bin/ts-json-schema-generator"
    words = [program, "--no-type-check", "--tsconfig", "tsconfig.json", "--path", file, "--type", name]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "observability/dashboard.json").read_text())
    return found


def faults(checked: Draft7Validator, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in checked.iter_errors(value)]


def test_the_dashboard_is_one(grafana: Path) -> None:
    checked = validator(grafana, f"{TYPES}/dashboard/x/types.gen.d.ts", "Dashboard")
    assert faults(checked, dashboard()) == []
    assert len(dashboard()["panels"]) >= 8
    for wrong in ({"titel": "misspelt"}, {"refresh": 60}, {"panels": [{"type": "timeseries", "gridPos": {"x": "0"}}]}):
        assert faults(checked, dashboard() | wrong) != [], f"{wrong} passed"


def test_the_options_of_its_panels_are_those_of_time_series(grafana: Path) -> None:
    checked = validator(grafana, TIME_SERIES, "Options")
    for panel in dashboard()["panels"]:
        assert panel["type"] == "timeseries"
        assert faults(checked, panel["options"]) == []
    assert faults(checked, {"legend": {}, "tooltip": {"mode": "both"}}) != []


def test_panels_lie_side_by_side_and_each_query_has_its_letter() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [(one["gridPos"]["x"] + dx, one["gridPos"]["y"]) for one in panels for dx in range(one["gridPos"]["w"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert all(len({one["refId"] for one in panel["targets"]}) == len(panel["targets"]) for panel in panels)
