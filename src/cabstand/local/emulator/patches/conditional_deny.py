"""S3: a bucket policy's Deny with a condition denies everything.

The TLS-only policy of each bucket is such a Deny (aws:SecureTransport is false). moto does not know what a request came
over, takes the unknown for a match, and answers 403 to every later read and write. Here a conditional Deny is neutral:
the emulator speaks plain HTTP on the loopback, so there is nothing it could rightly deny.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Skip Deny statements that have conditions."""
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    stock = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: Any, *args: Any, **kwargs: Any) -> Any:
        statement = self._statement
        if statement.get("Effect") == "Deny" and statement.get("Condition"):
            return PermissionResult.NEUTRAL
        return stock(self, *args, **kwargs)

    IAMPolicyStatement.is_action_permitted = is_action_permitted
