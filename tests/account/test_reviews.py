"""The plan's comment on a pull request, and what a release finds in it."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand.account import reviews
from cabstand.account.plan_changes import Change, listing
from cabstand.errors import ConfigError, TaskError

BOT = {"login": "github-actions[bot]"}
KNOWN, NEW = (Change(f"aws_x.{name}", "create", (), digit * 16) for name, digit in (("known", "a"), ("new", "b")))


@pytest.fixture
def api(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    monkeypatch.setenv("GITHUB_API_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/cabstand")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    return httpserver


def answer(api: HTTPServer, path: str, content: Any, **request: Any) -> None:
    headers = {"Authorization": "Bearer secret"}
    api.expect_request(f"/repos/example/cabstand/{path}", headers=headers, **request).respond_with_json(content)


def written(changes: list[Change], environment: str = "dev", user: dict[str, str] = BOT) -> dict[str, Any]:
    body = f"<!-- plan of {environment} -->\ntext\n```\n{listing(changes)}\n```\n"
    return {"id": 5, "user": user, "body": body}


def test_a_first_comment_is_added(api: HTTPServer) -> None:
    answer(api, "issues/12/comments", [written([], "prod"), written([], user={"login": "somebody"})], method="GET")
    body = {"body": "<!-- plan of dev -->\ntext"}
    answer(api, "issues/12/comments", {}, method="POST", json=body)
    reviews.comment("12", "dev", "text")
    api.check()


def test_a_later_one_replaces_it_wherever_it_is(api: HTTPServer) -> None:
    others = [{"id": n, "user": {"login": "somebody"}, "body": "+1"} for n in range(100)]
    answer(api, "issues/12/comments", others, method="GET", query_string={"per_page": "100", "page": "1"})
    answer(api, "issues/12/comments", [written([])], method="GET", query_string={"per_page": "100", "page": "2"})
    answer(api, "issues/comments/5", {}, method="PATCH", json={"body": "<!-- plan of dev -->\ntext"})
    reviews.comment("12", "dev", "text")
    api.check()


def test_a_release_makes_no_change_that_was_not_listed(api: HTTPServer) -> None:
    pulls = [{"number": 12, "merged_at": "2026-01-01"}, {"number": 13, "merged_at": None}]
    answer(api, "commits/abc/pulls", pulls)
    answer(api, "issues/12/comments", [written([KNOWN])])
    assert reviews.unreviewed("abc", "dev", [KNOWN]) == ([], "reviewed in #12")
    assert reviews.unreviewed("abc", "dev", [KNOWN, NEW]) == ([NEW], "reviewed in #12")
    assert reviews.unreviewed("abc", "prod", [KNOWN]) == ([KNOWN], "reviewed in no pull request")


def test_somebody_elses_comment_reviews_nothing(api: HTTPServer) -> None:
    answer(api, "commits/abc/pulls", [{"number": 12, "merged_at": "2026-01-01"}])
    answer(api, "issues/12/comments", [written([KNOWN], user={"login": "somebody"})])
    assert reviews.unreviewed("abc", "dev", [KNOWN])[0] == [KNOWN]


def test_a_refusal_is_one_line(api: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    api.expect_request("/repos/example/cabstand/commits/abc/pulls").respond_with_data("no", status=403)
    with pytest.raises(
        TaskError, match=r"commits/abc/pulls: GitHub's API refused: .*403.* \(see the job's permissions\)$"
    ):
        reviews.unreviewed("abc", "dev", [KNOWN])
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(ConfigError, match=r"^GITHUB_REPOSITORY and GITHUB_TOKEN: must be set "):
        reviews.unreviewed("abc", "dev", [KNOWN])
