"""Whether Lambda's and Fargate's quotas allow what is deployed."""

from __future__ import annotations

from collections.abc import Iterator

from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.io.aws import call

# https://docs.aws.amazon.com/general/latest/gr/ecs-service.html: the vCPUs of all Fargate tasks that run at a time.
FARGATE_QUOTAS = {"FARGATE": "L-3032A538", "FARGATE_SPOT": "L-36FBB829"}
# Lambda refuses a reservation that leaves less for the account's other functions.
UNRESERVED_MINIMUM = 100
CPU_UNITS = 1024


def concurrency(subject: Subject) -> Iterator[Line]:
    """Compare the function's reserved concurrency with Lambda's quota."""
    function = subject.deployment.function
    reserved = call("lambda", "get_function_concurrency", missing_ok=True, FunctionName=function)
    own = reserved.get("ReservedConcurrentExecutions")
    if own == 0:
        what = f"0 is reserved for {function}, which turns every request away"
        yield Line("Lambda's quota", "fail", what, "set api_reserved_concurrency, and make deploy")
        return
    answer = call("lambda", "get_account_settings", missing_ok=subject.on_laptop)
    if not answer:
        return  # the emulator has no such quota
    limits = answer["AccountLimit"]
    quota, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    found = f"{quota} concurrent executions, {own if own is not None else 'none'} reserved for {function}"
    can_reserve = max(0, free + (own or 0) - UNRESERVED_MINIMUM)
    hint = f"at most {can_reserve} can be reserved (api_reserved_concurrency)" + (
        "" if can_reserve else f"; for N, raise the quota to N + {UNRESERVED_MINIMUM} in Service Quotas"
    )
    yield Line("Lambda's quota", "ok", found, hint)


def fargate(subject: Subject) -> Iterator[Line]:
    """Compare the tasks' vCPUs with Fargate's two quotas."""
    sizes = {one["family"]: int(one["cpu"]) / CPU_UNITS for one in subject.definitions}
    if not sizes:
        yield Line("tasks", "warn", f"no task definitions of {subject.deployment.name}", "make deploy creates them")
        return
    largest, together = max(sizes, key=lambda task: sizes[task]), sum(sizes[task] for task in _scheduled(subject))
    for kind, code in FARGATE_QUOTAS.items():
        answer = call("service-quotas", "get_service_quota", missing_ok=True, ServiceCode="fargate", QuotaCode=code)
        if answer:
            yield _fits(kind, answer["Quota"]["Value"], largest, sizes[largest], together)
        elif not subject.on_laptop:
            yield Line(kind, "warn", "the quota of vCPUs is not known", f"see {code} in Service Quotas")


def _fits(kind: str, quota: float, largest: str, needed: float, together: float) -> Line:
    found = f"{quota:g} vCPUs; {largest} takes {needed:g}, all enabled schedules together {together:g}"
    if needed > quota:
        wanted = max(needed, together)
        return Line(kind, "fail", found, f"raise it to {wanted:g} in Service Quotas, or choose smaller tasks")
    if together > quota:
        hint = f"tasks that overlap may not start: raise it to {together:g} in Service Quotas"
        return Line(kind, "warn", found, hint)
    return Line(kind, "ok", found)


def _scheduled(subject: Subject) -> Iterator[str]:
    """Yield the family of the task that each enabled schedule starts."""
    for name, enabled in subject.schedules.items():
        if enabled:
            target = call("scheduler", "get_schedule", Name=name, GroupName=subject.deployment.name)["Target"]
            if "EcsParameters" in target:
                yield target["EcsParameters"]["TaskDefinitionArn"].rpartition("/")[2].partition(":")[0]


CHECKS = {"Lambda's quota": concurrency, "Fargate's quotas": fargate}
