"""Lambda: whether a function's published versions start from a snapshot.

The provider reads `snap_start` back; moto always reports it as off, so every plan would set it again.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Store the SnapStart setting of CreateFunction and UpdateFunctionConfiguration."""
    from moto.awslambda.models import LambdaFunction

    stock_init = LambdaFunction.__init__
    stock_update = LambdaFunction.update_configuration
    stock_get = LambdaFunction.get_configuration

    def init(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        stock_init(self, account_id, spec, *args, **kwargs)
        self.snap_start = spec.get("SnapStart") or {}

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> Any:
        self.snap_start = config_updates.get("SnapStart") or self.snap_start
        return stock_update(self, config_updates)

    def get_configuration(self: Any, *args: Any, **kwargs: Any) -> Any:
        configuration = stock_get(self, *args, **kwargs)
        configuration["SnapStart"].update(self.snap_start)
        return configuration

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.get_configuration = get_configuration
