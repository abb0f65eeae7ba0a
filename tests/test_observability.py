"""What is made of the catalogue is up to date, and the catalogue is true of what it names."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from cabstand.api.telemetry import UNITS
from cabstand.local.stack.terraform import DECLARED
from cabstand.observability import catalogue
from cabstand.settings import Settings
from scripted import script
from serving import client_of, make_home

ROOT = Path(__file__).resolve().parents[1]
FIRST_SEVEN = {  # threshold and unit of those that the first system had
    "workflow-failures": (10, "%"), "workflow-slow": (300, "s"), "experiment-failures": (5, "%"),
    "experiment-slow": (600, "s"), "job-memory": (8192, "MiB"), "server-cpu": (80, "%"),
    "exporter-silent": (1, "0 or 1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """scripts/observability.py."""
    return script("observability")


def test_what_is_made_of_the_catalogue_is_up_to_date(maker: ModuleType) -> None:
    made = maker.made(catalogue())
    assert len(made) == 3
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)} is out of date (make docs)"


def test_terraform_reads_the_same_file() -> None:
    alarms = (ROOT / "infra/modules/monitoring/alarms.tf").read_text()
    name = next(one for one in DECLARED if one.endswith("catalogue.yaml"))
    assert f'yamldecode(file("${{path.module}}/../../../{name}"))' in alarms
    assert (ROOT / name).is_file()


def test_the_seven_alarms_of_the_first_system_are_there(maker: ModuleType) -> None:
    every = catalogue()["alarms"]
    assert {name: (every[name]["threshold"], every[name]["unit"]) for name in FIRST_SEVEN} == FIRST_SEVEN
    rules = {one["alert"]: one for one in maker.rules(catalogue())["groups"][0]["rules"]}
    assert {maker.alert(name) for name in FIRST_SEVEN} <= rules.keys()
    assert rules["ExporterSilent"]["for"] == "2m"


def test_the_service_has_the_declared_metrics(tmp_path: Path) -> None:
    client = client_of(Settings(home=tmp_path), make_home(tmp_path))
    text = client.get("/metrics").text
    declared = catalogue()["metrics"]["service"]
    assert dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M)) == {n: one["meaning"] for n, one in declared.items()}
    assert dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)) == {n: one["type"] for n, one in declared.items()}


def test_every_metric_that_an_alarm_or_a_panel_names_is_declared() -> None:
    metrics = catalogue()["metrics"]
    known = {*metrics["service"], *metrics["exporter"], "cabstand_request_seconds_bucket"}
    found = re.findall(r"\bcabstand_\w+", yaml.safe_dump([catalogue()["alarms"], catalogue()["panels"]]))
    assert set(found) <= known
    own = {f"{kind}{name}" for kind in catalogue()["kinds"].values() for name in catalogue()["measures"]}
    assert _named_by_cloudwatch() <= own | metrics["CloudWatch"].keys()


def _named_by_cloudwatch() -> set[str]:
    """Return the metrics of the project's own namespace that alarms and panels name."""
    found: set[str] = set()
    for how in (one["cloudwatch"] for part in ("alarms",) for one in catalogue()[part].values() if "cloudwatch" in one):
        if "namespace" not in how:
            found |= {how["metric"]} if "metric" in how else {one["name"] for one in how["metrics"].values()}
    for panel in catalogue()["panels"]:
        how = panel.get("cloudwatch", {"namespace": ""})
        found |= set() if "namespace" in how else set(how["metrics"])
    return found


def test_the_metrics_of_the_functions_log_are_declared() -> None:
    declared: dict[str, Any] = catalogue()["metrics"]["CloudWatch"]
    assert {name: declared[name]["unit"] for name in UNITS} == UNITS


def test_a_speed_shortens_every_span_of_time(maker: ModuleType) -> None:
    usual, quick = (yaml.safe_dump(maker.rules(catalogue(), speed)) for speed in (1.0, 60.0))
    assert len(re.findall(r"\[5000ms\]", quick)) == len(re.findall(r"\[5m\]", usual)) > 10
    assert not re.search(r"\[\d+[smhd]\]|for: \d+[smhd]$", quick, re.M)
    assert re.findall(r"for: (\d+ms)", quick) == ["15000ms", "2000ms", "15000ms"]
