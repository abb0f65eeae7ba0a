"""EC2: security groups of an instance that are set on its network interface.

The provider sets them there whenever the instance has a public address; moto stores them on the interface and returns
an instance without groups, so every plan would add them again.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Give a new instance without groups those of its first interface."""
    from moto.ec2.models.instances import Instance

    stock = Instance.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        if not self.security_groups and self.nics:
            self.security_groups = list(self.nics[0].group_set)

    Instance.__init__ = init
