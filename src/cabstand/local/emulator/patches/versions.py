"""Versions and aliases of functions as Lambda keeps them."""

from __future__ import annotations

import json
import uuid
from typing import Any


def version_numbers() -> None:
    """Lambda: never give a number of a version again; moto counts the versions that are left."""
    from moto.awslambda.models import LambdaStorage

    stock = LambdaStorage.publish_version

    def publish_version(self: Any, name_or_arn: str, description: str = "") -> Any:
        name = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn).function_name
        group = self._functions[name]
        before = list(group["versions"])
        found = stock(self, name_or_arn, description)
        if not any(found is one for one in before):
            group["highest"] = group.get("highest", 0) + 1
            found.set_version(group["highest"])
            self._arns.update({one.function_arn: one for one in group["versions"]})
        return found

    LambdaStorage.publish_version = publish_version


def alias_revisions() -> None:
    """Lambda: give an alias a new revision with each update, and refuse the update of an older one."""
    from moto.awslambda.exceptions import PreconditionFailedException
    from moto.awslambda.models import LambdaAlias
    from moto.awslambda.responses import LambdaResponse

    stock_update, stock_response = LambdaAlias.update, LambdaResponse.update_alias

    def update(self: Any, *args: Any, **kwargs: Any) -> None:
        stock_update(self, *args, **kwargs)
        self.revision_id = str(uuid.uuid4())

    def update_alias(self: Any) -> Any:
        wanted = json.loads(self.body).get("RevisionId")
        *_, function, _, alias = self.path.split("/")
        if wanted and self.backend.get_alias(alias, function).revision_id != wanted:
            raise PreconditionFailedException("The RevisionId provided does not match the latest RevisionId.")
        return stock_response(self)

    LambdaAlias.update, LambdaResponse.update_alias = update, update_alias
