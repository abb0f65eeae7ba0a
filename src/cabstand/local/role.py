"""Temporary credentials of a role, as a part of AWS gets them that acts for somebody; renewed before they expire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

_MARGIN = timedelta(minutes=5)
# One session for all, which reads the services' models once; it can make one client at a time.
_SESSION, _MAKING = boto3.Session(), threading.Lock()


class Role:
    """A role that is assumed with the emulator's root key.

    Parameters
    ----------
    client : callable
        Returns a client of the emulator by service name.
    arn, session : str
        Which role, and the name of its sessions.
    config : botocore.config.Config, optional
        Of the clients that `service` returns.
    """

    def __init__(self, client: Callable[[str], Any], arn: str, session: str, config: Any = None) -> None:
        self.client, self.arn, self.session = client, arn, session
        self._config = config
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
            self._credentials = self._assume()
            self._services.clear()
        return self._credentials

    def _assume(self) -> dict[str, Any]:
        answer = self.client("sts").assume_role(RoleArn=self.arn, RoleSessionName=self.session)
        found: dict[str, Any] = answer["Credentials"]
        return found

    def _client(self, name: str, credentials: dict[str, Any]) -> Any:
        known = self.client("sts").meta
        with _MAKING:
            return _SESSION.client(
                name,
                region_name=known.region_name,
                endpoint_url=known.endpoint_url,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                config=self._config,
            )
