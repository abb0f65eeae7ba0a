"""Whether a function's resource policy lets API Gateway invoke it for a route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cabstand.local.permissions import conditions
from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.patterns import matches

SERVICE = "apigateway.amazonaws.com"


def permits(statements: Iterable[Mapping[str, Any]], function_arn: str, source_arn: str) -> bool:
    """Return whether the statements allow API Gateway to invoke a function's qualifier for a route's ARN."""
    context = {"aws:sourcearn": [source_arn], "aws:sourceaccount": [source_arn.split(":")[4]]}
    effects = {
        one["Effect"]
        for one in statements
        if SERVICE in listed((one.get("Principal") or {}).get("Service", []))
        and any(matches(action, "lambda:InvokeFunction", ignore_case=True) for action in listed(one["Action"]))
        and function_arn in listed(one["Resource"])
        and conditions.hold(one.get("Condition") or {}, context, has_variables=False)
    }
    return effects == {"Allow"}
