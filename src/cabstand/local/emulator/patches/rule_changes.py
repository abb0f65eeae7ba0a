"""EC2: a change of a security group rule that is for every protocol.

Such a rule has no ports, and AWS takes its change without them; moto asks for ports whatever the protocol. The AWS
provider meets it where an apply takes over a group that a killed run left with EC2's own rule for the way out.
"""

from __future__ import annotations

from typing import Any

ALL_PROTOCOLS = "-1"
ALL_PORTS = {"FromPort": -1, "ToPort": -1}


def apply() -> None:
    """Say the ports that AWS shows for a rule of every protocol, where the request leaves them out."""
    from moto.ec2.models.security_groups import SecurityGroupBackend

    stock = SecurityGroupBackend.modify_security_group_rules

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        for rule in rules.values():
            if rule.get("IpProtocol") == ALL_PROTOCOLS:
                rule |= {name: port for name, port in ALL_PORTS.items() if rule.get(name) is None}
        stock(self, group_id, rules)

    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules
