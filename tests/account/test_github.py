"""What the bootstrap asks of GitHub and of the account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand.account import github
from cabstand.account.root import Root
from cabstand.errors import ConfigError

REPOSITORY = {"full_name": "example/cabstand", "id": 789, "owner": {"id": 456}}


@pytest.fixture
def root(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """The bootstrap of an account that has neither states nor a provider, for a repository without numbers."""
    for name in ("GITHUB_REPOSITORY_ID", "GITHUB_REPOSITORY_OWNER_ID", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/cabstand")
    (tmp_path / "main.tf").touch()
    return Root(tmp_path, "bootstrap")


@pytest.fixture
def api(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    monkeypatch.setenv("GITHUB_API_URL", httpserver.url_for("").rstrip("/"))
    return httpserver


def test_numbers_come_from_github(root: Root, api: HTTPServer) -> None:
    api.expect_request("/repos/example/cabstand").respond_with_json(REPOSITORY)
    assert github.bootstrap_variables(root) == {
        "github_repository": "example/cabstand",
        "github_repository_id": "789",
        "github_owner_id": "456",
        "create_github_provider": "true",
    }


def test_a_token_opens_a_private_repository(root: Root, api: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    api.expect_request("/repos/example/cabstand", headers={"Authorization": "Bearer secret"}).respond_with_json(
        REPOSITORY
    )
    assert github.bootstrap_variables(root)["github_repository_id"] == "789"


def test_given_numbers_need_no_github(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GITHUB_REPOSITORY_ID", "1")
    monkeypatch.setenv("GITHUB_REPOSITORY_OWNER_ID", "2")
    found = github.bootstrap_variables(root)
    assert (found["github_repository_id"], found["github_owner_id"]) == ("1", "2")


@pytest.mark.parametrize("answer", [{"message": "Not Found"}, [], {"full_name": 1}], ids=str)
@pytest.mark.parametrize("status", [200, 404])
def test_without_an_answer_the_command_is_named(root: Root, api: HTTPServer, status: int, answer: Any) -> None:
    api.expect_request("/repos/example/cabstand").respond_with_json(answer, status=status)
    with pytest.raises(ConfigError, match="gh api repos/example/cabstand") as caught:
        github.bootstrap_variables(root)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_command_is_named(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="GITHUB_REPOSITORY_OWNER_ID"):
        github.bootstrap_variables(root)


def test_a_renamed_repository_is_named_anew(root: Root, api: HTTPServer) -> None:
    api.expect_request("/repos/example/cabstand").respond_with_data(
        status=301, headers={"Location": "/repositories/789"}
    )
    api.expect_request("/repositories/789").respond_with_json(REPOSITORY | {"full_name": "example/taxis"})
    with pytest.raises(ConfigError, match="make bootstrap GITHUB_REPOSITORY=example/taxis"):
        github.bootstrap_variables(root)


@pytest.mark.parametrize("name", ["", "cabstand", "a/b/c"])
def test_a_repository_is_required(root: Root, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", name)
    with pytest.raises(ConfigError, match="GITHUB_REPOSITORY=owner/name"):
        github.bootstrap_variables(root)


@pytest.mark.parametrize("audience", ["sts.amazonaws.com", "https://github.com/example"])
def test_a_provider_that_exists_is_used(root: Root, api: HTTPServer, aws: Callable[[str], Any], audience: str) -> None:
    api.expect_request("/repos/example/cabstand").respond_with_json(REPOSITORY)
    aws("iam").create_open_id_connect_provider(
        Url=f"https://{github.PROVIDER}", ClientIDList=[audience], ThumbprintList=["0" * 40]
    )
    if audience == github.AUDIENCE:
        assert github.bootstrap_variables(root)["create_github_provider"] == "false"
    else:
        with pytest.raises(ConfigError, match="add-client-id-to-open-id-connect-provider"):
            github.bootstrap_variables(root)


def test_the_projects_own_provider_stays_its_own(root: Root, api: HTTPServer, aws: Callable[[str], Any]) -> None:
    api.expect_request("/repos/example/cabstand").respond_with_json(REPOSITORY)
    aws("iam").create_open_id_connect_provider(
        Url=f"https://{github.PROVIDER}", ClientIDList=[github.AUDIENCE], ThumbprintList=["0" * 40]
    )
    aws("s3").create_bucket(Bucket=root.state_bucket)
    state = b'{"resources": [{"mode": "managed", "type": "aws_iam_openid_connect_provider"}]}'
    aws("s3").put_object(Bucket=root.state_bucket, Key=root.state_key, Body=state)
    assert github.bootstrap_variables(root)["create_github_provider"] == "true"
