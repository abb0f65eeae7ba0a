"""S3: a bucket policy's Deny with a condition denies everything.

The TLS-only policy of each bucket is such a Deny (aws:SecureTransport is false). moto ignores the condition and answers
403 to every later read and write. The patch ignores a conditional Deny instead: the emulator speaks plain HTTP on the
loopback interface, where there is nothing to deny.
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
