"""RDS: the master user's managed secret, when ModifyDBInstance requests it a second time.

The provider does so for every database that it imports. AWS keeps the secret; moto creates another, and whatever was
planned with the ARN of the first is wrong.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Keep a managed secret when it is requested again."""
    from moto.rds.models import DBInstance

    stock = DBInstance.update

    def update(self: Any, manage_master_user_password: bool | None = None, **others: Any) -> None:
        again = manage_master_user_password is True and self.manage_master_user_password
        stock(self, manage_master_user_password=None if again else manage_master_user_password, **others)

    DBInstance.update = update
