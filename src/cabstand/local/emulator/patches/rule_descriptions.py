"""EC2: the description of a security group rule whose peer is another group.

moto stores it but returns only descriptions of rules whose peer is an address range, so every plan would add it again.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Return the description wherever the rule stores it."""
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(self: Any) -> str | None:
        found: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
        return found

    SecurityGroupRule.description = property(description)
