"""EC2's default egress rule of a security group, where a killed run has left it.

EC2 creates each group with a rule that allows all outgoing traffic, and the AWS provider revokes that rule in a second
call. A run that is killed between the two leaves the rule. Terraform's plans do not show it, because rules are separate
resources.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cabstand.io.aws import call, items

_log = logging.getLogger(__name__)
_EVERYWHERE = {"0.0.0.0/0", "::/0"}


def revoke_unmanaged(state: Iterable[Mapping[str, Any]]) -> None:
    """Revoke the rule in each group among the resources of a state, unless the state holds the rule as a resource."""
    ids: dict[str, set[str]] = {"aws_security_group": set(), "aws_vpc_security_group_egress_rule": set()}
    for resource in state:
        if resource["type"] in ids:
            ids[resource["type"]] |= {one["attributes"]["id"] for one in resource["instances"]}
    groups, managed = ids.values()
    for rule in _open_egress_rules(groups):
        group, name = rule["GroupId"], rule["SecurityGroupRuleId"]
        if name not in managed:
            call("ec2", "revoke_security_group_egress", GroupId=group, SecurityGroupRuleIds=[name])
            _log.warning("%s: revoked %s, the default egress rule that a killed run left", group, name)


def _open_egress_rules(groups: set[str]) -> list[dict[str, Any]]:
    """Return the rules of these groups that allow all traffic to everywhere."""
    if not groups:
        return []
    filters = [{"Name": "group-id", "Values": sorted(groups)}]
    open_rules = "SecurityGroupRules[?IsEgress && IpProtocol=='-1']"
    rules = items("ec2", "describe_security_group_rules", open_rules, Filters=filters)
    return [rule for rule in rules if _EVERYWHERE & {rule.get("CidrIpv4"), rule.get("CidrIpv6")}]
