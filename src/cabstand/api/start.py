"""Where the function begins: everything is imported without looking for garbage.

Imports leave next to none, and looking for it takes a twentieth of a cold start.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any


def lambda_handler() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return `cabstand.api.aws.lambda_handler`'s handler, its imports paid on the way."""
    gc.disable()
    try:
        from cabstand.api import aws

        return aws.lambda_handler()
    finally:
        gc.enable()
