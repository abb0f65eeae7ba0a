"""Clients with the temporary credentials of a role, as an AWS service gets them that acts for somebody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from cabstand.local.events.targets import Clients


class Roles:
    """Assumes roles with the emulator's root key and keeps their credentials until they are about to expire."""

    def __init__(self, client: Clients, session_name: str) -> None:
        self._client = client
        self._session_name = session_name
        self._credentials: dict[str, dict[str, Any]] = {}

    def clients(self, role_arn: str) -> Clients:
        """Return what makes clients of a role by service name."""

        def client(service: str) -> Any:
            found = self._credentials_of(role_arn)
            sts = self._client("sts").meta
            return boto3.client(
                service,
                endpoint_url=sts.endpoint_url,
                region_name=sts.region_name,
                aws_access_key_id=found["AccessKeyId"],
                aws_secret_access_key=found["SecretAccessKey"],
                aws_session_token=found["SessionToken"],
                config=Config(retries={"total_max_attempts": 1}),
            )

        return client

    def _credentials_of(self, role_arn: str) -> dict[str, Any]:
        found = self._credentials.get(role_arn)
        if found is None or found["Expiration"] < datetime.now(UTC) + timedelta(minutes=5):
            found = self._client("sts").assume_role(RoleArn=role_arn, RoleSessionName=self._session_name)["Credentials"]
            self._credentials[role_arn] = found
        return found
