"""Read a role's policies back from the account, as they are applied."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from cabstand.local.permissions.decision import Document, Policies


def of_role(iam: Any, role: str) -> Policies:
    """Return the inline and the attached policies of a role, and its boundary; `iam` is an SDK client."""
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    own = [_document(one) for one in documents] + [_managed(iam, one["PolicyArn"]) for one in attached]
    boundary = iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary")
    return Policies(own, [_managed(iam, boundary["PermissionsBoundaryArn"])] if boundary else [])


def trust(iam: Any, role: str) -> Document:
    """Return the policy that says who may assume a role."""
    return _document(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])


def _managed(iam: Any, arn: str) -> Document:
    """Return the version of a managed policy that is in force."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return _document(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def _document(value: Any) -> Document:
    document: Document = json.loads(unquote(value)) if isinstance(value, str) else value
    return document
