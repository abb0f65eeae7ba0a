"""Temporary credentials of a task's two roles, renewed before they expire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cabstand.errors import TaskError

_MARGIN = timedelta(minutes=5)


class Role:
    """A role that ECS assumes for a task."""

    def __init__(self, client: Callable[[str], Any], arn: str, session: str) -> None:
        self.client, self.arn, self.session = client, arn, session
        self._lock = threading.Lock()
        self._credentials: dict[str, Any] = {}
        self._services: dict[str, Any] = {}

    def credentials(self) -> dict[str, Any]:
        """Return AccessKeyId, SecretAccessKey, SessionToken and Expiration, valid for five minutes at least."""
        with self._lock:
            return self._renewed()

    def service(self, name: str) -> Any:
        """Return a client of a service that signs as the role."""
        with self._lock:
            credentials = self._renewed()
            if name not in self._services:
                self._services[name] = self._client(name, credentials)
            return self._services[name]

    def _renewed(self) -> dict[str, Any]:
        if not self._credentials or self._credentials["Expiration"] - datetime.now(UTC) < _MARGIN:
            try:
                answer = self.client("sts").assume_role(RoleArn=self.arn, RoleSessionName=self.session)
            except ClientError as error:
                raise TaskError(
                    f"ECS was unable to assume the role '{self.arn}' that was provided for this task. Please verify "
                    "that the role being passed has the proper trust relationship and permissions and that your IAM "
                    "user has permissions to pass this role."
                ) from error
            self._credentials = answer["Credentials"]
            self._services.clear()
        return self._credentials

    def _client(self, name: str, credentials: dict[str, Any]) -> Any:
        known = self.client("sts").meta
        # A session of its own: boto3's default one cannot make clients in several threads.
        return boto3.Session().client(
            name,
            region_name=known.region_name,
            endpoint_url=known.endpoint_url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
