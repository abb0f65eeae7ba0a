"""Budgets: the subscribers of a notification, and the budget's tags.

The provider reads both back after CreateBudget; moto answers 500 to DescribeSubscribersForNotification and
ListTagsForResource. It stores the subscribers already; the patch stores the tags on the budget.
"""

from __future__ import annotations

import json
from typing import Any


def apply() -> None:
    """Add the four calls, and store the tags that CreateBudget sets."""
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
