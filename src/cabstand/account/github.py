"""What the bootstrap must know of GitHub: a repository's numbers, and whether the account trusts GitHub already."""

from __future__ import annotations

import os

import httpx2

from cabstand.account import state
from cabstand.account.root import Root
from cabstand.errors import ConfigError
from cabstand.io.aws import call

PROVIDER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
_TIMEOUT_S = 20.0


def bootstrap_variables(root: Root) -> dict[str, str]:
    """Return the bootstrap's variables about GitHub; the repository is in `GITHUB_REPOSITORY`, as owner/name.

    Its number and its owner's are taken from `GITHUB_REPOSITORY_ID` and `GITHUB_REPOSITORY_OWNER_ID` (GitHub Actions
    sets all three), or else asked of GitHub's API, where `GITHUB_TOKEN` opens private repositories.

    Raises
    ------
    ConfigError
        If a variable is missing, GitHub does not know the repository, or the account's provider has another audience.
    """
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if repository.count("/") != 1:
        hint = "name the repository that may deploy: make bootstrap GITHUB_REPOSITORY=owner/name"
        raise ConfigError(f"must be owner/name, not {repository!r}", where="GITHUB_REPOSITORY", hint=hint)
    number, owner = _ids(repository)
    return {
        "github_repository": repository,
        "github_repository_id": number,
        "github_owner_id": owner,
        "create_github_provider": "false" if _foreign_provider(root) else "true",
    }


def _ids(repository: str) -> tuple[str, str]:
    given = os.environ.get("GITHUB_REPOSITORY_ID", ""), os.environ.get("GITHUB_REPOSITORY_OWNER_ID", "")
    if all(given):
        return given
    return _ask(repository)


def _ask(repository: str) -> tuple[str, str]:
    """Ask GitHub's API for the numbers of a repository and its owner."""
    url = f"{os.environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{repository}"
    token = os.environ.get("GITHUB_TOKEN", "")
    headers = {"Accept": "application/vnd.github+json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        # A renamed repository is redirected to its number.
        answer = httpx2.get(url, headers=headers, timeout=_TIMEOUT_S, follow_redirects=True)
        found = answer.raise_for_status().json()
        number, owner, name = int(found["id"]), int(found["owner"]["id"]), str(found["full_name"])
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        hint = (
            f"print the numbers with: gh api repos/{repository} --jq '.id, .owner.id'; "
            "then set GITHUB_REPOSITORY_ID and GITHUB_REPOSITORY_OWNER_ID"
        )
        reason = str(error).splitlines()[0]
        raise ConfigError(f"GitHub's API did not identify the repository: {reason}", where=url, hint=hint) from error
    if name.lower() != repository.lower():
        hint = f"use its present name: make bootstrap GITHUB_REPOSITORY={name}"
        raise ConfigError(f"is now called {name}", where=repository, hint=hint)
    return str(number), str(owner)


def _foreign_provider(root: Root) -> bool:
    """Return whether the account has GitHub's identity provider and this project did not create it."""
    if any(one["type"] == "aws_iam_openid_connect_provider" for one in state.resources(root)):
        return False
    account = call("sts", "get_caller_identity")["Account"]
    arn = f"arn:aws:iam::{account}:oidc-provider/{PROVIDER}"
    found = call("iam", "get_open_id_connect_provider", missing_ok=True, OpenIDConnectProviderArn=arn)
    if found and AUDIENCE not in found["ClientIDList"]:
        command = "aws iam add-client-id-to-open-id-connect-provider"
        hint = f"{command} --open-id-connect-provider-arn {arn} --client-id {AUDIENCE}"
        raise ConfigError(f"does not accept tokens for {AUDIENCE}", where=arn, hint=hint)
    return bool(found)
