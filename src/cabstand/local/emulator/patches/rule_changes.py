"""EC2: changes of a security group rule for all protocols.

Such a rule has no ports, and AWS accepts changes of it without ports; moto requires them. The AWS provider makes such a
change when an apply imports a group that a killed run left with EC2's default egress rule.
"""

from __future__ import annotations

from typing import Any

ALL_PROTOCOLS = "-1"
ALL_PORTS = {"FromPort": -1, "ToPort": -1}


def apply() -> None:
    """Add the ports that AWS reports for a rule of all protocols if the request has none."""
    from moto.ec2.models.security_groups import SecurityGroupBackend

    stock = SecurityGroupBackend.modify_security_group_rules

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        for rule in rules.values():
            if rule.get("IpProtocol") == ALL_PROTOCOLS:
                rule |= {name: port for name, port in ALL_PORTS.items() if rule.get(name) is None}
        stock(self, group_id, rules)

    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules
