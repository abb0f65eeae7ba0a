"""Secrets Manager: the current version after the label AWSCURRENT has been moved.

`cabstand keys` writes by moving the label, because Secrets Manager refuses the second of two concurrent moves. moto
moves the label but still returns the version that had it before.
"""

from __future__ import annotations

import threading
from typing import Any

_LOCK = threading.Lock()


def apply() -> None:
    """Return the version that the label was moved to, and execute concurrent moves one after the other, as AWS does."""
    from moto.secretsmanager.models import SecretsManagerBackend

    stock = SecretsManagerBackend.update_secret_version_stage

    def update_secret_version_stage(
        self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        with _LOCK:
            answer: tuple[str, str] = stock(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
            if version_stage == "AWSCURRENT" and move_to_version_id:
                self.secrets[secret_id].default_version_id = move_to_version_id
        return answer

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage
