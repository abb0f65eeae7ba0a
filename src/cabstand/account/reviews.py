"""The comment on a pull request that lists what its plan changes, and which of a release's changes it listed."""

from __future__ import annotations

import os
from typing import Any

import httpx2

from cabstand.account import plan_changes
from cabstand.account.plan_changes import Change
from cabstand.errors import ConfigError, TaskError

_AUTHOR = "github-actions[bot]"
_PER_PAGE = 100
_TIMEOUT_S = 20.0


def comment(number: str, environment: str, text: str) -> None:
    """Write the plan's comment on pull request `number`, in place of an earlier one."""
    body = f"{_marker(environment)}\n{text}"
    if earlier := _comment(number, environment):
        _ask("PATCH", f"issues/comments/{earlier['id']}", json={"body": body})
    else:
        _ask("POST", f"issues/{number}/comments", json={"body": body})


def unreviewed(commit: str, environment: str, changes: list[Change]) -> tuple[list[Change], str]:
    """Return which changes no pull request of the commit listed, and what they were compared with."""
    pulls = [one for one in _ask("GET", f"commits/{commit}/pulls") if one.get("merged_at")]
    found = {str(one["number"]): _comment(str(one["number"]), environment) for one in pulls}
    comments = {number: one for number, one in found.items() if one}
    listed = {digest for one in comments.values() for digest in plan_changes.digests(one["body"])}
    numbers = ", ".join(f"#{number}" for number in comments)
    return [one for one in changes if one.digest not in listed], f"reviewed in {numbers or 'no pull request'}"


def _marker(environment: str) -> str:
    return f"<!-- plan of {environment} -->"


def _comment(number: str, environment: str) -> dict[str, Any] | None:
    """Return the plan's comment on a pull request; others may write the marker, but not as GitHub's workflows."""
    page, last = 1, _PER_PAGE
    while last == _PER_PAGE:
        found = _ask("GET", f"issues/{number}/comments", params={"per_page": _PER_PAGE, "page": page})
        for one in found:
            if one["user"]["login"] == _AUTHOR and one["body"].startswith(_marker(environment)):
                return dict(one)
        page, last = page + 1, len(found)
    return None


def _ask(method: str, path: str, **request: Any) -> Any:
    """Send a request about the repository to GitHub's API, and return its answer."""
    repository, token = os.environ.get("GITHUB_REPOSITORY", ""), os.environ.get("GITHUB_TOKEN", "")
    if not (repository and token):
        hint = "GitHub's workflows set both; by hand: GITHUB_TOKEN=$(gh auth token)"
        raise ConfigError("must be set", where="GITHUB_REPOSITORY and GITHUB_TOKEN", hint=hint)
    url = f"{os.environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{repository}/{path}"
    headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
    try:
        answer = httpx2.request(method, url, headers=headers, timeout=_TIMEOUT_S, **request)
        return answer.raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TaskError(f"GitHub's API refused: {reason}", where=url, hint="see the job's permissions") from error
