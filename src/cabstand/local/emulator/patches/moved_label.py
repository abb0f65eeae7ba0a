"""Secrets Manager: what is in force once the label AWSCURRENT has been moved to another version.

`cabstand keys` writes by moving it, the one write that Secrets Manager refuses to whoever comes second. moto moves the
label and goes on answering with the version that had it.
"""

from __future__ import annotations

import threading
from typing import Any

_ONE_AT_A_TIME = threading.Lock()


def apply() -> None:
    """Answer with the version that the label was moved to; two moves at once come one after the other, as on AWS."""
    from moto.secretsmanager.models import SecretsManagerBackend

    stock = SecretsManagerBackend.update_secret_version_stage

    def update_secret_version_stage(
        self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        with _ONE_AT_A_TIME:
            told: tuple[str, str] = stock(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
            if version_stage == "AWSCURRENT" and move_to_version_id:
                self.secrets[secret_id].default_version_id = move_to_version_id
        return told

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage
