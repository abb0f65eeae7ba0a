"""The MLflow server: it runs, answers those who log in by a name that it knows, and nobody outside can reach it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from cabstand.account import instances
from cabstand.account.doctor import web
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.errors import TaskError
from cabstand.io.aws import call, items

_API = "/api/2.0/mlflow/experiments/search"
_WAKE = "it is asleep: make wake"


def machines(subject: Subject) -> Iterator[Line]:
    """Look at the states of the server and its database."""
    servers, databases = instances.servers(subject.deployment), instances.databases(subject.deployment)
    for kind, found, right in (("MLflow server", servers, "running"), ("MLflow database", databases, "available")):
        if not found:
            yield Line(kind, "fail", "does not exist", "make deploy creates it")
        for one in found:
            if one.state == right:
                yield Line(kind, "ok", f"{one.name} is {one.state}")
            elif subject.is_asleep:
                yield Line(kind, "warn", f"{one.name} is {one.state}", _WAKE)
            else:
                yield Line(kind, "fail", f"{one.name} is {one.state}", "make wake starts what is stopped")


def reachable(subject: Subject) -> Iterator[Line]:
    """Ask MLflow where this machine reaches it; elsewhere, ask the alarm that rings when its heartbeat stops."""
    if not subject.mlflow:
        yield _by_alarm(subject)
        return
    answer = web.get(f"{subject.mlflow}/health")
    if answer.status != 200:
        what = answer.error or f"answers {answer.status}"
        yield Line("MLflow", "fail", f"{subject.mlflow}: {what}", _log_of(subject))
        return
    yield Line("MLflow", "ok", f"{subject.mlflow} answers after {1000 * answer.seconds:.0f} ms")
    stranger = web.get(subject.mlflow + _API).status
    if stranger != 401:
        what = f"answers {stranger} to a stranger instead of 401"
        yield Line("MLflow's login", "fail", what, "run mlflow_setup.sh again, by replacing the server: make deploy")
    else:
        yield Line("MLflow's login", "ok", "required")


def _log_of(subject: Subject) -> str:
    return (
        "cabstand local logs mlflow" if subject.on_laptop else "is the tunnel open, and the server awake (make wake)?"
    )


def _by_alarm(subject: Subject) -> Line:
    name = f"{subject.deployment.name}-server-silent"
    states = list(items("cloudwatch", "describe_alarms", "MetricAlarms[].StateValue", AlarmNames=[name]))
    if states == ["OK"]:
        return Line("MLflow", "ok", f"its heartbeat comes: the alarm {name} is quiet")
    if states == ["ALARM"]:
        hint = _WAKE if subject.is_asleep else "its log is on the server: aws ssm start-session, journalctl -u mlflow"
        return Line("MLflow", "warn" if subject.is_asleep else "fail", f"no heartbeat: the alarm {name} rings", hint)
    what = f"the alarm {name} {'has no data yet' if states else 'does not exist'}"
    return Line("MLflow", "warn", what, "open the tunnel and set MLFLOW_TRACKING_URI, to ask MLflow itself")


def private(subject: Subject) -> Iterator[Line]:
    """Look for addresses that the security groups of the server and the database let in."""
    open_to = {
        f"{address} to {group['GroupName']}"
        for group in _groups(subject)
        for rule in group["IpPermissions"]
        for address in _addresses(rule)
    }
    for one in sorted(open_to):
        yield Line("MLflow's network", "fail", f"lets {one}", "take that rule away: make deploy shows it as a change")
    public = items("rds", "describe_db_instances", "DBInstances[?PubliclyAccessible].DBInstanceIdentifier")
    own = {one.name for one in instances.databases(subject.deployment)}
    for name in own.intersection(public):
        yield Line("MLflow's network", "fail", f"the database {name} has a public address", "make deploy takes it away")
        open_to.add(name)
    if not open_to:
        yield Line("MLflow's network", "ok", "only the environment's own security groups are let in")


def _addresses(rule: dict[str, Any]) -> Iterator[str]:
    yield from (f"in {one['CidrIp']}" for one in rule.get("IpRanges", []))
    yield from (f"in {one['CidrIpv6']}" for one in rule.get("Ipv6Ranges", []))
    yield from (f"in {one['PrefixListId']}" for one in rule.get("PrefixListIds", []))


def _groups(subject: Subject) -> list[dict[str, Any]]:
    """Return the security groups of the server and the database."""
    ids: set[str] = set()
    for one in instances.servers(subject.deployment):
        found = items(
            "ec2", "describe_instances", "Reservations[].Instances[].SecurityGroups[].GroupId", InstanceIds=[one.name]
        )
        ids.update(found)
    for one in instances.databases(subject.deployment):
        groups = "DBInstances[].VpcSecurityGroups[].VpcSecurityGroupId"
        ids.update(items("rds", "describe_db_instances", groups, DBInstanceIdentifier=one.name))
    return list(items("ec2", "describe_security_groups", "SecurityGroups[]", GroupIds=sorted(ids))) if ids else []


def allowed_hosts(subject: Subject) -> Iterator[Line]:
    """Look at the names that the server is configured to answer by, and try another where it can be reached."""
    for one in instances.servers(subject.deployment):
        answer = call("ec2", "describe_instances", InstanceIds=[one.name])
        address = answer["Reservations"][0]["Instances"][0].get("PrivateIpAddress", "")
        hosts = _configured(one.name)
        if "*" in hosts:
            yield Line("allowed hosts", "fail", "MLflow answers by any name", "make deploy replaces the server")
        elif address not in hosts:
            hint = "tasks call it so: make deploy replaces the server"
            yield Line("allowed hosts", "fail", f"{address} is not among {', '.join(hosts) or 'none'}", hint)
        else:
            yield Line("allowed hosts", "ok", ", ".join(hosts))
    if subject.mlflow:
        status = web.get(subject.mlflow + _API, {"host": "rebinding.example"}).status
        if status not in {0, 403}:
            what = f"MLflow answers {status} to the name rebinding.example instead of 403"
            yield Line("allowed hosts", "fail", what, "set MLFLOW_ALLOWED_HOSTS: make deploy replaces the server")


def _configured(server: str) -> list[str]:
    """Return the allowed hosts in a server's user data."""
    attribute = call("ec2", "describe_instance_attribute", InstanceId=server, Attribute="userData")
    script = base64.b64decode(attribute.get("UserData", {}).get("Value", "")).decode(errors="replace")
    for line in script.splitlines():
        name, _, value = line.partition("=")
        if name == "MLFLOW_ALLOWED_HOSTS":
            return value.split(",")
    raise TaskError("its user data sets no MLFLOW_ALLOWED_HOSTS", where=server, hint="make deploy replaces the server")


CHECKS = {
    "MLflow's machines": machines, "MLflow": reachable, "MLflow's network": private, "allowed hosts": allowed_hosts,
}  # fmt: skip
