"""What is in the account already of that which a plan would create: made by a run that died before it could note it.

Terraform writes a remote state every twenty seconds and at the end. A run that is killed leaves what it made since then
without an owner: made again, most of it is refused for its name, and the rest is there twice and bills twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cabstand.errors import TaskError
from cabstand.io.aws import client, error_code, refusals

Values = Mapping[str, Any]


def find(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the id by which Terraform imports each resource that `plan` would create and that is there, by address.

    Parameters
    ----------
    plan : mapping
        What `terraform show -json PLAN` prints. What hangs on a resource that is not adopted yet is found in a plan
        that adopts that resource.

    Raises
    ------
    TaskError
        If AWS refuses to tell.
    """
    found = {}
    for resource in plan["resource_changes"]:
        look = _LOOKS.get(resource["type"])
        if look is None or resource["change"]["actions"] != ["create"] or "importing" in resource["change"]:
            continue
        with refusals(f"looking for {resource['address']}"):
            identity = look(resource["change"]["after"])
        if identity:
            found[resource["address"]] = identity
    return found


def _ask(service: str, operation: str, **words: Any) -> dict[str, Any] | None:
    """Return an answer, or None where AWS knows no such thing."""
    aws = client(service)
    try:
        answer: dict[str, Any] = getattr(aws, operation)(**words)
    except aws.exceptions.ClientError as error:
        code = error_code(error)
        if code == "404" or "NotFound" in code or "NoSuch" in code:
            return None
        raise
    return answer


def _account() -> str:
    return str(client("sts").get_caller_identity()["Account"])


def _named(identity: str, service: str, operation: str, **words: str) -> Callable[[Values], str | None]:
    """Look for a thing whose id is made of planned values: `{name}` stands for the value `name`."""

    def look(values: Values) -> str | None:
        known = {key: value for key, value in values.items() if value is not None} | {"account": _account()}
        try:
            asked = {key: text.format(**known) for key, text in words.items()}
            result = identity.format(**known)
        except KeyError:  # known only once something else is adopted or made
            return None
        return result if _ask(service, operation, **asked) else None

    return look


def _by_tag(kind: str) -> Callable[[Values], str | None]:
    """Look for a part of the network by its tag `Name`; the project gives each a name of its own."""

    def look(values: Values) -> str | None:
        filters = [
            {"Name": "key", "Values": ["Name"]},
            {"Name": "value", "Values": [values["tags"]["Name"]]},
            {"Name": "resource-type", "Values": [kind]},
        ]
        return _only([tag["ResourceId"] for tag in client("ec2").describe_tags(Filters=filters)["Tags"]])

    return look


def _only(identities: list[str]) -> str | None:
    if len(identities) > 1:
        hint = "delete what is there once too often"
        raise TaskError(f"there are {len(identities)} of one name: {', '.join(identities)}", hint=hint)
    return identities[0] if identities else None


def _instance(values: Values) -> str | None:
    filters = [
        {"Name": "tag:Name", "Values": [values["tags"]["Name"]]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    groups = client("ec2").describe_instances(Filters=filters)["Reservations"]
    return _only([one["InstanceId"] for group in groups for one in group["Instances"]])


def _security_rule(*, egress: bool) -> Callable[[Values], str | None]:
    """Look for a rule of a group: AWS has each way, protocol, ports and peer once, whatever its description."""

    def look(values: Values) -> str | None:
        group = values.get("security_group_id")
        if not group:
            return None
        answer = client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        all_ports = values["ip_protocol"] == "-1"
        ports = (-1, -1) if all_ports else (values["from_port"], values["to_port"])
        peer = values.get("cidr_ipv4") or values.get("referenced_security_group_id")
        return _only(
            [
                rule["SecurityGroupRuleId"]
                for rule in answer["SecurityGroupRules"]
                if rule["IsEgress"] == egress
                and rule["IpProtocol"] == values["ip_protocol"]
                and (rule.get("FromPort", -1), rule.get("ToPort", -1)) == ports
                and peer in (rule.get("CidrIpv4"), rule.get("ReferencedGroupInfo", {}).get("GroupId"))
                and peer is not None
            ]
        )

    return look


def _tables(values: Values) -> Iterator[dict[str, Any]]:
    if table := values.get("route_table_id"):
        yield from (_ask("ec2", "describe_route_tables", RouteTableIds=[table]) or {}).get("RouteTables", [])


def _route(values: Values) -> str | None:
    cidr = values["destination_cidr_block"]
    there = any(route.get("DestinationCidrBlock") == cidr for table in _tables(values) for route in table["Routes"])
    return f"{values['route_table_id']}_{cidr}" if there else None


def _association(values: Values) -> str | None:
    subnet = values.get("subnet_id")
    held = [one.get("SubnetId") for table in _tables(values) for one in table["Associations"]]
    return f"{subnet}/{values['route_table_id']}" if subnet and subnet in held else None


def _log_group(values: Values) -> str | None:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=values["name"])["logGroups"]
    return values["name"] if any(group["logGroupName"] == values["name"] for group in groups) else None


def _log_query(values: Values) -> str | None:
    known = client("logs").describe_query_definitions(queryDefinitionNamePrefix=values["name"])["queryDefinitions"]
    region = client("logs").meta.region_name
    return _only(
        [
            f"arn:aws:logs:{region}:{_account()}:query-definition:{one['queryDefinitionId']}"
            for one in known
            if one["name"] == values["name"]
        ]
    )


def _secret(values: Values) -> str | None:
    answer = _ask("secretsmanager", "describe_secret", SecretId=values["name"])
    return None if answer is None or answer.get("DeletedDate") else str(answer["ARN"])


def _stream(values: Values) -> str | None:
    answer = _ask("firehose", "describe_delivery_stream", DeliveryStreamName=values["name"])
    return None if answer is None else str(answer["DeliveryStreamDescription"]["DeliveryStreamARN"])


def _http_api(values: Values) -> str | None:
    apis = client("apigatewayv2").get_apis()["Items"]
    return _only([api["ApiId"] for api in apis if api["Name"] == values["name"]])


def _http_route(values: Values) -> str | None:
    api = values.get("api_id")
    answer = _ask("apigatewayv2", "get_routes", ApiId=api) if api else None
    routes = answer["Items"] if answer else []
    return _only([f"{api}/{route['RouteId']}" for route in routes if route["RouteKey"] == values["route_key"]])


def _permission(values: Values) -> str | None:
    function, qualifier = values["function_name"], values.get("qualifier")
    answer = _ask("lambda", "get_policy", FunctionName=function, **({"Qualifier": qualifier} if qualifier else {}))
    there = answer is not None and f'"{values["statement_id"]}"' in answer["Policy"]
    return f"{function}{f':{qualifier}' if qualifier else ''}/{values['statement_id']}" if there else None


# Kinds that AWS refuses to make a second time, or makes twice. Those that it takes again (policies of roles, alarms,
# settings of buckets, revisions of tasks) are simply written again.
_LOOKS: dict[str, Callable[[Values], str | None]] = {
    "aws_apigatewayv2_api": _http_api,
    "aws_apigatewayv2_route": _http_route,
    "aws_apigatewayv2_stage": _named(
        "{api_id}/{name}", "apigatewayv2", "get_stage", ApiId="{api_id}", StageName="{name}"
    ),
    "aws_budgets_budget": _named(
        "{account}:{name}", "budgets", "describe_budget", AccountId="{account}", BudgetName="{name}"
    ),
    "aws_cloudwatch_log_group": _log_group,
    "aws_cloudwatch_query_definition": _log_query,
    "aws_db_instance": _named("{identifier}", "rds", "describe_db_instances", DBInstanceIdentifier="{identifier}"),
    "aws_db_subnet_group": _named("{name}", "rds", "describe_db_subnet_groups", DBSubnetGroupName="{name}"),
    "aws_iam_instance_profile": _named("{name}", "iam", "get_instance_profile", InstanceProfileName="{name}"),
    "aws_iam_policy": _named(
        "arn:aws:iam::{account}:policy/{name}", "iam", "get_policy", PolicyArn="arn:aws:iam::{account}:policy/{name}"
    ),
    "aws_iam_role": _named("{name}", "iam", "get_role", RoleName="{name}"),
    "aws_instance": _instance,
    "aws_internet_gateway": _by_tag("internet-gateway"),
    "aws_kinesis_firehose_delivery_stream": _stream,
    "aws_lambda_alias": _named(
        "{function_name}/{name}", "lambda", "get_alias", FunctionName="{function_name}", Name="{name}"
    ),
    "aws_lambda_function": _named("{function_name}", "lambda", "get_function", FunctionName="{function_name}"),
    "aws_lambda_permission": _permission,
    "aws_route": _route,
    "aws_route_table": _by_tag("route-table"),
    "aws_route_table_association": _association,
    "aws_s3_bucket": _named("{bucket}", "s3", "head_bucket", Bucket="{bucket}"),
    "aws_scheduler_schedule": _named(
        "{group_name}/{name}", "scheduler", "get_schedule", GroupName="{group_name}", Name="{name}"
    ),
    "aws_scheduler_schedule_group": _named("{name}", "scheduler", "get_schedule_group", Name="{name}"),
    "aws_secretsmanager_secret": _secret,
    "aws_security_group": _by_tag("security-group"),
    "aws_subnet": _by_tag("subnet"),
    "aws_vpc": _by_tag("vpc"),
    "aws_vpc_endpoint": _by_tag("vpc-endpoint"),
    "aws_vpc_security_group_egress_rule": _security_rule(egress=True),
    "aws_vpc_security_group_ingress_rule": _security_rule(egress=False),
}
