"""The price of a Terraform plan: a month idle, a month asleep, each run of a task, a million predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cabstand.costs import charges
from cabstand.costs.schedules import runs_a_month
from cabstand.costs.table import PriceTable
from cabstand.errors import DataError

# One prediction, measured on the packaged function and its log: billed time, and size of its log line.
ASSUMED_PREDICTION_MS = 10.0
ASSUMED_LOG_KB = 1.0
ASSUMED_TRACED_SHARE = 0.05  # what Lambda samples beyond one request a second, if tracing is on
N_REPOSITORIES = 2  # of the bootstrap, whose plan is another one
FREE_TASK_DISK_GB = 20.0


@dataclass(frozen=True)
class Line:
    """One charge of one resource, in US dollars a month."""

    address: str
    price: str
    quantity: float
    unit: str
    unit_usd: float
    idle_usd_month: float
    asleep_usd_month: float
    source: str
    as_of: str


@dataclass(frozen=True)
class Run:
    """What one run of a task definition costs."""

    task: str
    vcpu: float
    memory_gb: float
    minutes: float
    usd_hour: float
    usd_run: float


@dataclass(frozen=True)
class Estimate:
    """A plan's price; `unpriced` lists what is billed, or may be, but has no price here."""

    lines: list[Line]
    runs: list[Run]
    million_predictions_usd: float | None
    by_use: list[str]
    unpriced: list[str]

    @property
    def idle_usd_month(self) -> float:
        """What a month costs if nothing runs."""
        return round(sum(line.idle_usd_month for line in self.lines), 2)

    @property
    def asleep_usd_month(self) -> float:
        """What a month costs after `cabstand sleep`."""
        return round(sum(line.asleep_usd_month for line in self.lines), 2)


def estimate(plan: Mapping[str, Any], table: PriceTable, *, run_minutes: float = 10.0) -> Estimate:
    """Price a plan, the output of `terraform show -json PLAN`; AWS bills at least one minute of a task's run."""
    resources = list(_resources(plan))
    priced = [one for resource in resources for one in _price(resource, table)]
    lines = [one for one in priced if isinstance(one, Line)]
    tasks = [resource["values"] for resource in resources if resource["type"] == "aws_ecs_task_definition"]
    runs = sorted((_run(task, table, run_minutes) for task in tasks), key=lambda run: run.task)
    return Estimate(
        lines=[*lines, *_allowances(lines), *_scheduled(plan, runs, table), *_images(runs, table)],
        runs=runs,
        million_predictions_usd=_million_predictions(resources, table),
        by_use=sorted({resource["type"] for resource in resources if charges.is_by_use(resource["type"])}),
        unpriced=[one for one in priced if isinstance(one, str)],
    )


def _resources(plan: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    planned = plan.get("planned_values") if isinstance(plan, dict) else None
    root = planned.get("root_module") if isinstance(planned, dict) else None
    if not isinstance(root, dict):
        raise DataError("not a plan", hint="write it with `terraform show -json PLAN > plan.json`")
    modules = [root]
    while modules:
        module = modules.pop(0)
        modules += module.get("child_modules", [])
        yield from (resource for resource in module.get("resources", []) if resource.get("mode") == "managed")


def _price(resource: Mapping[str, Any], table: PriceTable) -> Iterator[Line | str]:
    """Yield a line for each charge of a resource, or the reason why there is none."""
    kind, address = str(resource["type"]), str(resource["address"])
    rule = charges.RULES.get(kind)
    if rule is None:
        if not charges.is_free(kind) and not charges.is_by_use(kind):
            yield f"{address}: no rule for {kind}"
        return
    try:
        charged = rule(resource["values"])
    except (KeyError, TypeError, ValueError):
        yield f"{address}: its size is not known before it is made"
        return
    for charge in charged:
        price = table.prices.get(charge.key)
        if price is None:
            yield f"{address}: no price for {charge.key}"
        else:
            idle, asleep = round(price.usd * charge.quantity, 4), round(price.usd * charge.asleep, 4)
            unit = (price.unit, price.usd)
            yield Line(address, charge.key, charge.quantity, *unit, idle, asleep, price.source, price.as_of)


def _allowances(lines: list[Line]) -> Iterator[Line]:
    """Yield what AWS permanently gives every account for free each month, of the prices used: negative lines."""
    for key, free in charges.ALWAYS_FREE.items():
        used = [line for line in lines if line.price == key]
        if used:
            quantity = -min(free, sum(line.quantity for line in used))
            usd = round(quantity * used[0].unit_usd, 4)
            yield replace(
                used[0], address="free each month", quantity=quantity, idle_usd_month=usd, asleep_usd_month=usd
            )


def _scheduled(plan: Mapping[str, Any], runs: list[Run], table: PriceTable) -> Iterator[Line]:
    """Yield the runs that the enabled schedules start, from the output `schedules` of the plan."""
    schedules = plan["planned_values"].get("outputs", {}).get("schedules", {}).get("value", {})
    price = table.prices["fargate/X86_64/vcpu"]
    for name, schedule in schedules.items():
        run = next((one for one in runs if one.task.endswith(f"-{schedule['task']}")), None)
        if run is None or not schedule["enabled"]:
            continue
        n_runs = runs_a_month(schedule["expression"])
        usd = round(n_runs * run.usd_run, 4)
        label = f"{run.minutes:g}-minute run"
        yield Line(f"schedule {name}", run.task, n_runs, label, run.usd_run, usd, 0.0, price.source, price.as_of)


def _images(runs: list[Run], table: PriceTable) -> Iterator[Line]:
    """Yield the images that the tasks run, in the repositories of the bootstrap."""
    if runs:
        price, stored = table.prices["ecr/storage"], N_REPOSITORIES * charges.ASSUMED_REPOSITORY_GB
        usd = round(stored * price.usd, 4)
        yield Line("images", "ecr/storage", stored, price.unit, price.usd, usd, usd, price.source, price.as_of)


def _run(values: Mapping[str, Any], table: PriceTable, minutes: float) -> Run:
    platform = (values.get("runtime_platform") or [{}])[0].get("cpu_architecture") or "X86_64"
    vcpu, memory_gb = float(values["cpu"]) / 1024, float(values["memory"]) / 1024
    disk = float((values.get("ephemeral_storage") or [{}])[0].get("size_in_gib") or FREE_TASK_DISK_GB)
    hour = vcpu * table.usd(f"fargate/{platform}/vcpu") + memory_gb * table.usd(f"fargate/{platform}/gb")
    hour += max(0.0, disk - FREE_TASK_DISK_GB) * table.usd("fargate/disk") + table.usd("ipv4/public")
    cost = hour * max(1.0, minutes) / 60
    return Run(str(values["family"]), vcpu, memory_gb, minutes, round(hour, 4), round(cost, 4))


def _million_predictions(resources: list[dict[str, Any]], table: PriceTable) -> float | None:
    functions = [resource["values"] for resource in resources if resource["type"] == "aws_lambda_function"]
    if not functions:
        return None
    values = functions[0]
    architecture = (values.get("architectures") or ["x86_64"])[0]
    gb_seconds = 1e6 * ASSUMED_PREDICTION_MS / 1e3 * float(values.get("memory_size") or 128) / 1024
    logged_gb = 1e6 * ASSUMED_LOG_KB / 1e6
    usd = table.usd("apigateway/http") + table.usd("lambda/request")
    usd += gb_seconds * table.usd(f"lambda/{architecture}/gb-second")
    usd += logged_gb * (table.usd("cloudwatch/logs-ingested") + table.usd("firehose/ingested"))
    if any(block.get("mode") == "Active" for block in values.get("tracing_config") or []):
        usd += ASSUMED_TRACED_SHARE * table.usd("xray/trace")
    return round(usd, 2)
