"""What `cabstand doctor` checks in an account: who asks, whether the quotas suffice, and what is deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from cabstand.account import schedules
from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.io.aws import call, items


class Check(NamedTuple):
    """One line of the result."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    hint: str = ""


# https://docs.aws.amazon.com/general/latest/gr/ecs-service.html: the vCPUs of all Fargate tasks that run at a time.
FARGATE_QUOTAS = {"FARGATE": "L-3032A538", "FARGATE_SPOT": "L-36FBB829"}
# Lambda refuses a reservation that leaves less for the account's other functions.
UNRESERVED_MINIMUM = 100
CPU_UNITS = 1024


def run(deployment: Deployment) -> list[Check]:
    """Make every check; what AWS refuses to tell is a failed check and does not end the others."""
    return [check for part in (credentials, concurrency, fargate, image) for check in _safely(part, deployment)]


def _safely(part: Callable[[Deployment], Iterator[Check]], deployment: Deployment) -> Iterator[Check]:
    try:
        yield from part(deployment)
    except TaskError as error:
        yield Check(part.__name__, "fail", str(error))


def credentials(deployment: Deployment) -> Iterator[Check]:
    """Say whose credentials are used."""
    del deployment
    caller = call("sts", "get_caller_identity")
    yield Check("credentials", "ok", f"{caller['Arn']} in account {caller['Account']}")


def concurrency(deployment: Deployment) -> Iterator[Check]:
    """Compare the function's reserved concurrency with Lambda's quota."""
    limits = call("lambda", "get_account_settings")["AccountLimit"]
    quota, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    reserved = call("lambda", "get_function_concurrency", missing_ok=True, FunctionName=deployment.function)
    own = reserved.get("ReservedConcurrentExecutions")
    found = f"{quota} concurrent executions, {own if own is not None else 'none'} reserved for {deployment.function}"
    can_reserve = max(0, free + (own or 0) - UNRESERVED_MINIMUM)
    hint = f"at most {can_reserve} can be reserved (api_reserved_concurrency)" + (
        "" if can_reserve else f"; for N, raise the quota to N + {UNRESERVED_MINIMUM} in Service Quotas"
    )
    yield Check("Lambda's quota", "ok", found, hint)


def fargate(deployment: Deployment) -> Iterator[Check]:
    """Compare the tasks' vCPUs with Fargate's two quotas."""
    sizes = {one["family"]: int(one["cpu"]) / CPU_UNITS for one in _definitions(deployment)}
    if not sizes:
        yield Check("tasks", "warn", f"no task definitions of {deployment.name}", "make deploy creates them")
        return
    largest, together = max(sizes, key=lambda task: sizes[task]), sum(sizes[task] for task in _scheduled(deployment))
    for kind, code in FARGATE_QUOTAS.items():
        answer = call("service-quotas", "get_service_quota", missing_ok=True, ServiceCode="fargate", QuotaCode=code)
        if answer:
            yield _fits(kind, answer["Quota"]["Value"], largest, sizes[largest], together)
        else:
            yield Check(kind, "warn", "the quota of vCPUs is not known", f"see {code} in Service Quotas")


def _fits(kind: str, quota: float, largest: str, needed: float, together: float) -> Check:
    found = f"{quota:g} vCPUs; {largest} takes {needed:g}, all enabled schedules together {together:g}"
    if needed > quota:
        return Check(
            kind, "fail", found, f"raise it to {max(needed, together):g} in Service Quotas, or choose smaller tasks"
        )
    if together > quota:
        return Check(
            kind, "warn", found, f"tasks that overlap may not start: raise it to {together:g} in Service Quotas"
        )
    return Check(kind, "ok", found)


def _definitions(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the newest task definition of each family."""
    families = items("ecs", "list_task_definition_families", "families[]", familyPrefix=f"{deployment.name}-")
    return [call("ecs", "describe_task_definition", taskDefinition=family)["taskDefinition"] for family in families]


def _scheduled(deployment: Deployment) -> Iterator[str]:
    """Yield the family of the task that each enabled schedule starts."""
    for name, enabled in schedules.states(deployment).items():
        target = call("scheduler", "get_schedule", Name=name, GroupName=deployment.name)["Target"]
        if enabled and "EcsParameters" in target:
            yield target["EcsParameters"]["TaskDefinitionArn"].rpartition("/")[2].partition(":")[0]


def image(deployment: Deployment) -> Iterator[Check]:
    """Look for the image that the tasks use."""
    for used in sorted({one["containerDefinitions"][0]["image"] for one in _definitions(deployment)}):
        name, _, tag = used.partition("/")[2].partition(":")
        wanted = {"repositoryName": name, "imageIds": [{"imageTag": tag}]}
        if call("ecr", "describe_images", missing_ok=True, **wanted).get("imageDetails"):
            yield Check("image", "ok", f"{name}:{tag} is in the repository")
        else:
            yield Check("image", "fail", f"{name}:{tag} is not in the repository", f"make push-images TAG={tag}")
