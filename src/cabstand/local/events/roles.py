"""Clients with the credentials of the roles that schedules and rules name."""

from __future__ import annotations

from botocore.config import Config

from cabstand.local.events.targets import Clients
from cabstand.local.role import Role


class Roles:
    """The roles of one service, each assumed when it is first needed."""

    def __init__(self, client: Clients, session_name: str) -> None:
        self._client = client
        self._session_name = session_name
        self._roles: dict[str, Role] = {}

    def clients(self, role_arn: str) -> Clients:
        """Return what makes clients of a role by service name; they try once, because deliveries have retries."""
        if role_arn not in self._roles:
            once = Config(retries={"total_max_attempts": 1})
            self._roles[role_arn] = Role(self._client, role_arn, self._session_name, once)
        return self._roles[role_arn].service
