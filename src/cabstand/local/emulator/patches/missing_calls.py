"""AWS calls that moto answers with 500."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote
from uuid import uuid4


def budgets() -> None:
    """Budgets: the subscribers of a notification, which moto stores already, and the tags of a budget.

    The provider reads both back after CreateBudget.
    """
    from moto.budgets.responses import BudgetsResponse

    stock_create = BudgetsResponse.create_budget

    def create_budget(self: Any) -> str:
        answer: str = stock_create(self)
        budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("Budget")["BudgetName"]]
        budget.tags = {tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags") or []}
        return answer

    BudgetsResponse.create_budget = create_budget
    BudgetsResponse.describe_subscribers_for_notification = _describe_subscribers
    BudgetsResponse.list_tags_for_resource = _list_tags
    BudgetsResponse.tag_resource = _tag
    BudgetsResponse.untag_resource = _untag


def _budget(response: Any) -> Any:
    """Return the budget that an ARN names: arn:aws:budgets::<account>:budget/<name>."""
    account, resource = response._get_param("ResourceARN").split(":")[4:6]
    return response.backend.budgets[account][resource.removeprefix("budget/")]


def _describe_subscribers(self: Any) -> str:
    budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
    wanted = self._get_param("Notification")
    keys = ("ComparisonOperator", "NotificationType", "Threshold")
    found = [n.subscribers for n in budget.notifications if all(n.details[key] == wanted[key] for key in keys)]
    return json.dumps({"Subscribers": found[0] if found else []})


def _list_tags(self: Any) -> str:
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _budget(self).tags.items()]})


def _tag(self: Any) -> str:
    _budget(self).tags |= {tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags")}
    return "{}"


def _untag(self: Any) -> str:
    for key in self._get_param("ResourceTagKeys"):
        _budget(self).tags.pop(key, None)
    return "{}"


def log_queries() -> None:
    """CloudWatch Logs: saved queries, stored on the backend of their account and region."""
    from moto.logs.responses import LogsResponse

    LogsResponse.put_query_definition = _put
    LogsResponse.describe_query_definitions = _describe
    LogsResponse.delete_query_definition = _delete


def _definitions(response: Any) -> dict[str, dict[str, Any]]:
    backend = response.logs_backend
    if not hasattr(backend, "query_definitions"):
        backend.query_definitions = {}
    definitions: dict[str, dict[str, Any]] = backend.query_definitions
    return definitions


def _put(self: Any) -> str:
    identity = self._get_param("queryDefinitionId") or str(uuid4())
    _definitions(self)[identity] = {
        "queryDefinitionId": identity,
        "name": self._get_param("name"),
        "queryString": self._get_param("queryString"),
        "logGroupNames": self._get_param("logGroupNames") or [],
    }
    return json.dumps({"queryDefinitionId": identity})


def _describe(self: Any) -> str:
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [definition for definition in _definitions(self).values() if definition["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def _delete(self: Any) -> str:
    found = _definitions(self).pop(self._get_param("queryDefinitionId"), None)
    return json.dumps({"success": found is not None})


def stage_changes() -> None:
    """Gateway: new settings of a stage, such as its throttle or its access log; moto can only create one."""
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    ApiGatewayV2Response.update_stage = _update_stage


def _update_stage(self: Any) -> tuple[int, dict[str, Any], str]:
    api, _, name = self.path.split("/")[-3:]
    stage = self.apigatewayv2_backend.get_stage(api, unquote(name))
    config = stage.config | {"tags": stage.tags} | json.loads(self.body)
    return 200, {}, json.dumps(self.apigatewayv2_backend.create_stage(api, config).to_json())
