"""EC2: the security groups of an instance that are given with its network interface.

The provider gives them there whenever the instance asks for a public address of its own; moto keeps them on the
interface and answers an instance without groups, so every plan would add them again.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Give a new instance the groups of its first interface where it has none."""
    from moto.ec2.models.instances import Instance

    stock = Instance.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        if not self.security_groups and self.nics:
            self.security_groups = list(self.nics[0].group_set)

    Instance.__init__ = init
