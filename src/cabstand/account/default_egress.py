"""EC2's own way out of a security group, where a killed run has left it.

EC2 lets a new group send everything everywhere, and the AWS provider revokes that rule in a second call. A run that is
killed between the two leaves it; rules are resources of their own, so that no later plan shows one too many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cabstand.io.aws import client, refusals

logger = logging.getLogger(__name__)
EVERYWHERE = {"0.0.0.0/0", "::/0"}


def revoke(state: Iterable[Mapping[str, Any]]) -> None:
    """Revoke that rule in every group of a state that does not hold it as a resource.

    Parameters
    ----------
    state : iterable of mapping
        Resources as Terraform's state lists them.

    Raises
    ------
    TaskError
        If AWS refuses.
    """
    held: dict[str, set[str]] = {"aws_security_group": set(), "aws_vpc_security_group_egress_rule": set()}
    for resource in state:
        if (ids := held.get(resource["type"])) is not None:
            ids |= {one["attributes"]["id"] for one in resource["instances"]}
    groups, ours = held.values()
    with refusals("security groups"):
        for rule in _ways_out(groups):
            if rule["SecurityGroupRuleId"] not in ours:
                group, name = rule["GroupId"], rule["SecurityGroupRuleId"]
                client("ec2").revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[name])
                logger.warning("%s: revoked %s, the way out to everywhere that a killed run had left", group, name)


def _ways_out(groups: set[str]) -> list[dict[str, Any]]:
    """Return the rules by which groups send everything everywhere."""
    if not groups:
        return []
    only = [{"Name": "group-id", "Values": sorted(groups)}]
    pages = client("ec2").get_paginator("describe_security_group_rules").paginate(Filters=only)
    return [
        rule
        for page in pages
        for rule in page["SecurityGroupRules"]
        if rule["IsEgress"] and rule["IpProtocol"] == "-1" and EVERYWHERE & {rule.get("CidrIpv4"), rule.get("CidrIpv6")}
    ]
