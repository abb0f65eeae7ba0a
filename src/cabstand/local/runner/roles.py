"""A task's two roles."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cabstand.errors import TaskError
from cabstand.local.role import Role


class TaskRole(Role):
    """A role that ECS assumes for a task, or says in its own words that it cannot."""

    def _assume(self) -> dict[str, Any]:
        try:
            return super()._assume()
        except ClientError as error:
            raise TaskError(
                f"ECS was unable to assume the role '{self.arn}' that was provided for this task. Please verify "
                "that the role being passed has the proper trust relationship and permissions and that your IAM "
                "user has permissions to pass this role."
            ) from error
