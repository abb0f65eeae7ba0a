"""Find planned resources that already exist in AWS, created by a run that died before it could write them to the state.

Terraform writes a remote state every twenty seconds and at the end. What a killed run created after the last write is
in no state. When the next run creates it again, AWS refuses most resources because their names are taken; the others
then exist, and are billed, twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from cabstand.errors import TaskError
from cabstand.io.aws import call, client, items

Values = Mapping[str, Any]
Lookup = Callable[[Values], str | None]


def find(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the import id, by address, of each resource that `plan` would create and that already exists.

    `plan` is the output of `terraform show -json PLAN`. A resource that refers to another one, which exists but is not
    imported yet, is found in a later plan, which imports that one.
    """
    account = {"account": call("sts", "get_caller_identity")["Account"], "region": client("sts").meta.region_name}
    found = {}
    for resource in plan["resource_changes"]:
        look_up = _LOOKUPS.get(resource["type"])
        if look_up is None or resource["change"]["actions"] != ["create"] or "importing" in resource["change"]:
            continue
        known = {name: value for name, value in resource["change"]["after"].items() if value is not None}
        if identity := look_up(known | account):
            found[resource["address"]] = identity
    return found


def _lookup(identity: str, service: str, operation: str, expression: str = "@", **request: str) -> Lookup:
    """Look up a resource in the answer to a request.

    In each argument `{name}` stands for the planned value `name`; in the import id `{found}` for what the JMESPath
    expression finds. A value that is not known yet belongs to a resource that is not imported yet.
    """

    def look_up(values: Values) -> str | None:
        try:
            filled = {name: text.format(**values) for name, text in request.items()}
            wanted = expression.format(**values)
            found = items(service, operation, wanted, missing_ok=True, **filled)
            return _only(identity.format(found=one, **values) for one in found)
        except KeyError:
            return None

    return look_up


def _only(identities: Iterable[str]) -> str | None:
    found = list(identities)
    if len(found) > 1:
        raise TaskError(f"there are {len(found)} of one name: {', '.join(found)}", hint="delete all but one")
    return found[0] if found else None


def _by_tag(kind: str) -> Lookup:
    """Look up a part of the network by its tag `Name`, which is unique in the project."""
    same_name = f"Tags[?ResourceType=='{kind}' && Key=='Name' && Value=='{{tags[Name]}}'].ResourceId"
    return _lookup("{found}", "ec2", "describe_tags", same_name)


def _security_group_rule(is_egress: bool, values: Values) -> str | None:
    """Look up a rule: a group has only one with the same direction, protocol, ports and peer."""
    if "security_group_id" not in values:
        return None
    peer = values.get("cidr_ipv4") or values.get("referenced_security_group_id")
    wanted = (is_egress, values["ip_protocol"], values.get("from_port", -1), values.get("to_port", -1))
    filters = [{"Name": "group-id", "Values": [values["security_group_id"]]}]
    return _only(
        rule["SecurityGroupRuleId"]
        for rule in items("ec2", "describe_security_group_rules", "SecurityGroupRules[]", Filters=filters)
        if (rule["IsEgress"], rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1)) == wanted
        and peer is not None
        and peer in (rule.get("CidrIpv4"), rule.get("ReferencedGroupInfo", {}).get("GroupId"))
    )


# Kinds that AWS refuses to create a second time, or creates twice. The others (policies of roles, alarms, settings of
# buckets, revisions of tasks) are simply written again.
_LOOKUPS: dict[str, Lookup] = {
    "aws_apigatewayv2_api": _lookup("{found}", "apigatewayv2", "get_apis", "Items[?Name=='{name}'].ApiId"),
    "aws_apigatewayv2_route": _lookup(
        "{api_id}/{found}", "apigatewayv2", "get_routes", "Items[?RouteKey=='{route_key}'].RouteId", ApiId="{api_id}"
    ),
    "aws_apigatewayv2_stage": _lookup(
        "{api_id}/{name}", "apigatewayv2", "get_stage", ApiId="{api_id}", StageName="{name}"
    ),
    "aws_budgets_budget": _lookup(
        "{account}:{name}", "budgets", "describe_budget", AccountId="{account}", BudgetName="{name}"
    ),
    "aws_cloudwatch_event_bus": _lookup("{name}", "events", "describe_event_bus", Name="{name}"),
    "aws_cloudwatch_log_group": _lookup("{name}", "logs", "describe_log_groups", "logGroups[?logGroupName=='{name}']"),
    "aws_cloudwatch_query_definition": _lookup(
        "arn:aws:logs:{region}:{account}:query-definition:{found}",
        "logs",
        "describe_query_definitions",
        "queryDefinitions[?name=='{name}'].queryDefinitionId",
    ),
    "aws_db_instance": _lookup("{identifier}", "rds", "describe_db_instances", DBInstanceIdentifier="{identifier}"),
    "aws_db_subnet_group": _lookup("{name}", "rds", "describe_db_subnet_groups", DBSubnetGroupName="{name}"),
    "aws_iam_instance_profile": _lookup("{name}", "iam", "get_instance_profile", InstanceProfileName="{name}"),
    "aws_iam_policy": _lookup(
        "{found}", "iam", "get_policy", "Policy.Arn", PolicyArn="arn:aws:iam::{account}:policy/{name}"
    ),
    "aws_iam_role": _lookup("{name}", "iam", "get_role", RoleName="{name}"),
    "aws_instance": _lookup(
        "{found}",
        "ec2",
        "describe_instances",
        "Reservations[].Instances[] | [?!contains(['shutting-down', 'terminated'], State.Name)]"
        " | [?Tags[?Key=='Name' && Value=='{tags[Name]}']].InstanceId",
    ),
    "aws_internet_gateway": _by_tag("internet-gateway"),
    "aws_kinesis_firehose_delivery_stream": _lookup(
        "{found}",
        "firehose",
        "describe_delivery_stream",
        "DeliveryStreamDescription.DeliveryStreamARN",
        DeliveryStreamName="{name}",
    ),
    "aws_lambda_alias": _lookup(
        "{function_name}/{name}", "lambda", "get_alias", FunctionName="{function_name}", Name="{name}"
    ),
    "aws_lambda_function": _lookup("{function_name}", "lambda", "get_function", FunctionName="{function_name}"),
    "aws_lambda_permission": _lookup(
        "{function_name}:{qualifier}/{statement_id}",
        "lambda",
        "get_policy",
        "[Policy] | [?contains(@, '\"{statement_id}\"')]",
        FunctionName="{function_name}",
        Qualifier="{qualifier}",
    ),
    "aws_route": _lookup(
        "{route_table_id}_{destination_cidr_block}",
        "ec2",
        "describe_route_tables",
        "RouteTables[?RouteTableId=='{route_table_id}'].Routes[] | [?DestinationCidrBlock=='{destination_cidr_block}']",
    ),
    "aws_route_table": _by_tag("route-table"),
    "aws_route_table_association": _lookup(
        "{subnet_id}/{route_table_id}",
        "ec2",
        "describe_route_tables",
        "RouteTables[?RouteTableId=='{route_table_id}'].Associations[] | [?SubnetId=='{subnet_id}']",
    ),
    "aws_s3_bucket": _lookup("{bucket}", "s3", "head_bucket", Bucket="{bucket}"),
    "aws_scheduler_schedule": _lookup(
        "{group_name}/{name}", "scheduler", "get_schedule", GroupName="{group_name}", Name="{name}"
    ),
    "aws_scheduler_schedule_group": _lookup("{name}", "scheduler", "get_schedule_group", Name="{name}"),
    "aws_secretsmanager_secret": _lookup(
        "{found}", "secretsmanager", "list_secrets", "SecretList[?Name=='{name}' && !DeletedDate].ARN"
    ),
    "aws_security_group": _by_tag("security-group"),
    "aws_subnet": _by_tag("subnet"),
    "aws_vpc": _by_tag("vpc"),
    "aws_vpc_endpoint": _by_tag("vpc-endpoint"),
    "aws_vpc_security_group_egress_rule": partial(_security_group_rule, True),
    "aws_vpc_security_group_ingress_rule": partial(_security_group_rule, False),
}
