"""A deployment while requests come through the gateway: a good version passes, a bad one is rolled back at once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gateway_account
from cabstand.account.canary import Settings as Canary
from cabstand.cli.common import emit
from cabstand.io import aws, s3
from cabstand.jobs import deploy
from cabstand.local.emulator.access import ROOT_KEYS
from cabstand.local.functions.service import READ_S
from cabstand.settings import Settings
from gateway_account import Account
from waiting import until

pytestmark = pytest.mark.lambda_

NAME = "cabstand-dev-api"
SOURCE = Path(__file__).with_name("canary_handler.py")
CANARY = Canary(watch_s=8, every_s=1)
TAKES_S = 0.02


def packed(takes_s: float = TAKES_S, every: int = 0) -> bytes:
    """Return a version's zip: how long it takes, and which of its answers fail (every fifth; 0 for none)."""
    behaviour = {"takes_s": takes_s, "every": every}
    return gateway_account.zipped(SOURCE, **{"behaviour.json": json.dumps(behaviour)})


@pytest.fixture(scope="module")
def account(python: tuple[str, str]) -> Iterator[Account]:
    with gateway_account.account(NAME) as found:
        found.client("s3").create_bucket(Bucket=f"cabstand-state-{gateway_account.ACCOUNT}")
        found.make_function(python[1], packed(), Handler="canary_handler.handler")
        found.make_api("$default")
        yield found


@pytest.fixture(scope="module")
def url(account: Account, tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("canary")
    with gateway_account.gateway(account, folder, "--cache", str(runtime.parent)) as found:
        yield found


@pytest.fixture(autouse=True)
def _here(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the SDK talk to the emulator."""
    for name, value in {"AWS_ENDPOINT_URL": account.url, "AWS_DEFAULT_REGION": "us-east-1", **ROOT_KEYS}.items():
        monkeypatch.setenv(name, value)
    for cached in (aws.client, s3.client):
        cached.cache_clear()
    yield
    for cached in (aws.client, s3.client):
        cached.cache_clear()


@contextmanager
def traffic(url: str) -> Iterator[Counter[int]]:
    """Ask without a pause, twice at once, as many as find environments of both versions; yield the statuses so far."""
    seen, stop = Counter[int](), threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=url, timeout=40) as client:
            while not stop.is_set():
                seen[client.get("/").status_code] += 1

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        try:
            time.sleep(2 * READ_S)  # the gateway still knows the alias of the last deployment
            seen.clear()
            until(lambda: seen[200] > 50)
            yield seen
        finally:
            stop.set()
    for one in asking:
        one.result()


def deployed(account: Account, url: str, package: bytes) -> tuple[dict[str, Any], Counter[int]]:
    account.client("lambda").update_function_code(FunctionName=NAME, ZipFile=package)
    with traffic(url) as seen:
        found = deploy.run(Settings(), deploy.Params(canary=CANARY))
    emit({"statuses": seen, **found})
    return found, seen


def failed_share(seen: Counter[int]) -> float:
    return 1 - seen[200] / seen.total()


def live(account: Account) -> tuple[str, Any]:
    alias = account.client("lambda").get_alias(FunctionName=NAME, Name="live")
    return alias["FunctionVersion"], (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def test_a_version_that_fails_a_fifth_of_its_answers(account: Account, url: str) -> None:
    before = live(account)
    found, seen = deployed(account, url, packed(every=5))
    assert (found["state"], len(found["steps"])) == ("rolled back", 1)
    assert "requests failed" in found["reason"]
    assert live(account) == before
    assert 0 < failed_share(seen) <= 0.05
    assert seen.keys() == {200, 500, 502}


def test_a_version_that_takes_twice_as_long(account: Account, url: str) -> None:
    before = live(account)
    found, seen = deployed(account, url, packed(takes_s=2 * TAKES_S))
    assert (found["state"], len(found["steps"])) == ("rolled back", 1)
    assert "median duration" in found["reason"]
    assert live(account) == before
    assert failed_share(seen) == 0


def test_a_good_version_gets_all_requests_and_can_be_left_again(account: Account, url: str) -> None:
    before = live(account)
    found, seen = deployed(account, url, packed(takes_s=TAKES_S + 0.001))
    assert (found["state"], [step["share"] for step in found["steps"]]) == ("completed", [0.1, 0.5, 1.0])
    assert live(account) == (found["to_version"], {})
    assert failed_share(seen) == 0
    assert all(step["found"]["n_new"] > 20 for step in found["steps"])
    deploy.run(Settings(), deploy.Params(action="rollback"))
    assert live(account) == before
    assert httpx2.get(url, timeout=40).status_code == 200
