"""Variables are typed, described and validated once; Terraform sets only environment variables that cabstand reads."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from cabstand.settings import Settings, environment_names

INFRA = Path(__file__).resolve().parents[2] / "infra"
FILES = sorted(file for file in INFRA.rglob("variables*.tf") if ".terraform" not in file.parts)
MODULES = [file for file in FILES if "modules" in file.parts]
ROOTS = [file for file in FILES if file not in MODULES]
NULLABLE = {"given_passwords"}  # null where Secrets Manager generates the passwords

# Settings that Terraform leaves at their defaults, each with the reason.
NOT_SET = {
    "api_bundle_memory_mib": "the default, which the function's memory has room for",
    "api_burst": "API Gateway's throttle is the rate limit on AWS (api_throttle_burst_requests)",
    "api_cors_origins": "closed unless a deployment opens it",
    "api_key": "sent by callers; the service has only hashes",
    "api_keys_refresh_s": "the default: a revoked key is refused within a minute",
    "api_keys_required": "keys are always required on AWS",
    "api_max_body_bytes": "the default, below API Gateway's own limit",
    "api_root_path": "API Gateway serves at the root",
    "api_problems": "every published problem is served",
    "api_rate_per_s": "API Gateway's throttle is the rate limit on AWS (api_throttle_requests_per_second)",
    "api_refresh_s": "the default: a minute",
    "api_timeout_s": "for clients of uvicorn; API Gateway reads the request on AWS",
    "compare_memory_gib": "the default: 80 % of the task's memory",
    "dask_scheduler": "set by the run that starts the workers",
    "dask_tls": "set by the run that starts the workers",
    "dask_scratch": "set by the worker's command",
    "download_attempts": "the default",
    "download_timeout_s": "the default",
    "ingest_max_rows": "the default",
    "lambda_function": "Lambda itself sets it",
    "trace_file": "a workflow sets it for its steps",
    "traceparent": "set by the process that starts another one",
    "prediction_log": "auto is the function's log in Lambda",
    "prediction_retention_days": "for the local log; the lake has a lifecycle rule (prediction_retention_days)",
    "tlc_url": "the default: the publisher's address",
    "uber_url": "the default: the publisher's address",
    "zones_url": "the default: the publisher's address",
}
FAMILIES = {
    "gate_": "the gate's limits are the same everywhere",
    "score_": "weights in a report",
    "monitor_": "the limits of the monitor are the same everywhere",
}


def variables(file: Path) -> dict[str, str]:
    found = re.finditer(r'^variable "(\w+)" \{\n(.*?)^\}', file.read_text(), re.MULTILINE | re.DOTALL)
    return {one[1]: one[2] for one in found}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(INFRA)))
def test_variables_are_typed_and_described(file: Path) -> None:
    for name, body in variables(file).items():
        assert re.search(r"^  type +=", body, re.MULTILINE), f"{name} has no type"
        assert re.search(r'^  description += "(vCPUs|[A-Z]).{10,}\."$', body, re.MULTILINE), (
            f"{name} has no description"
        )


@pytest.mark.parametrize("file", ROOTS, ids=lambda file: str(file.relative_to(INFRA)))
def test_variables_of_roots_are_validated(file: Path) -> None:
    for name, body in variables(file).items():
        validated = "validation {" in body or re.search(r"^  type +=\s+bool$", body, re.MULTILINE)
        assert validated, f"{name} is not validated"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(INFRA)))
def test_modules_leave_defaults_and_validations_to_the_root(file: Path) -> None:
    for name, body in variables(file).items():
        assert not re.search(r"^  (default|validation)\b", body, re.MULTILINE), f"{name} belongs to the root"
        may_be_null = name in NULLABLE or "null for" in body
        assert may_be_null != bool(re.search(r"^  nullable +=\s+false$", body, re.MULTILINE)), name


def set_by_terraform() -> set[str]:
    code = "".join(
        file.read_text()
        for file in INFRA.rglob("*.tf")
        if ".terraform" not in file.parts and not file.name.startswith(("variables", "outputs"))
    )
    return set(re.findall(r'(?:^\s*|\bname = "|\{ )((?:CABSTAND|OTEL)_[A-Z_]+)"?\s*[=,]', code, re.MULTILINE))


def test_what_terraform_sets_is_a_setting() -> None:
    known = {name for setting in Settings.model_fields for name in environment_names(setting)}
    of_the_server = {"CABSTAND_METRICS_NAMESPACE"}  # read by the server's heartbeat, not by the package
    of_the_workers = {name for name in set_by_terraform() if name.startswith(("CABSTAND_ECS_", "CABSTAND_TASK_"))}
    assert set_by_terraform() - known - of_the_workers == of_the_server


def test_every_setting_is_set_or_left_with_a_reason() -> None:
    given = {setting for setting in Settings.model_fields if set(environment_names(setting)) & set_by_terraform()}
    left = set(NOT_SET) | {setting for setting in Settings.model_fields if setting.startswith(tuple(FAMILIES))}
    assert set(Settings.model_fields) <= given | left, "set it in Terraform, or say here why not"
    assert not given & set(NOT_SET)


def test_time_zones_are_those_of_the_database() -> None:
    zones = set(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}  # of a clock that was never set
    assert (INFRA / "time_zones.txt").read_text().splitlines() == sorted(zones)
