"""RDS: the master's secret, where it is managed already and ModifyDBInstance says so once more.

The provider says it of every database that it imports. AWS keeps the secret; moto makes another, so that whatever was
planned with the first one's ARN is wrong.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Leave a managed secret alone when it is asked for again."""
    from moto.rds.models import DBInstance

    stock = DBInstance.update

    def update(self: Any, manage_master_user_password: bool | None = None, **others: Any) -> None:
        again = manage_master_user_password is True and self.manage_master_user_password
        stock(self, manage_master_user_password=None if again else manage_master_user_password, **others)

    DBInstance.update = update
