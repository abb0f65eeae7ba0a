"""EC2: the description of a security group rule whose peer is another group.

moto keeps it, but answers the description of rules whose peer is an address range alone: every plan would add it again.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Answer the description from wherever the rule keeps it."""
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(self: Any) -> str | None:
        found: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
        return found

    SecurityGroupRule.description = property(description)
