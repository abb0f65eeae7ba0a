"""What is refused before a route sees it, and what every answer carries."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bundles import point
from cabstand.api.guard import RateLimit
from cabstand.api.keyring import Keyring
from cabstand.errors import StorageError
from cabstand.io import keys
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, make_home, make_key, service_of

NEEDS_KEY = [("GET", "/v1/models"), ("GET", "/v1/hotspots"), ("GET", "/metrics"), ("POST", PREDICT),
             ("GET", "/nothing"), ("POST", "/v1/hotspots/nearest"), ("POST", f"{PREDICT}/batch"), ("GET", "/healthz/"),
             ("GET", "/docs/x"), ("GET", "/%2e/docs"), ("OPTIONS", PREDICT)]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("home")
    return folder, make_home(folder)


@pytest.fixture(scope="module")
def client(home: tuple[Path, str]) -> TestClient:
    return client_of(Settings(home=home[0]))


@pytest.mark.parametrize(("method", "path"), NEEDS_KEY)
@pytest.mark.parametrize(
    "given", [{}, {"x-api-key": "wrong"}, {"x-api-key": "cab_00000000_x"}, {"authorization": "Basic x"}]
)
def test_without_a_valid_key(client: TestClient, method: str, path: str, given: dict[str, str]) -> None:
    answer = client.request(method, path, headers=given, json=ROW if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/docs", "/openapi.json"])
def test_public_routes(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 200
    assert "evil.example" not in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_health_without_a_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_refusal_of_a_head_request_has_no_body(client: TestClient) -> None:
    answer = client.head("/v1/models")
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_key_by_either_header(client: TestClient, home: tuple[Path, str]) -> None:
    assert client.get("/v1/models", headers={"x-api-key": home[1]}).status_code == 200
    assert client.get("/v1/models", headers={"authorization": f"Bearer {home[1]}"}).status_code == 200
    assert client.get("/v1/models", headers={"x-api-key": home[1].encode()[:-1] + b"\xe9"}).status_code == 401


def test_scopes_and_expiry(home: tuple[Path, str]) -> None:
    settings = Settings(home=home[0])
    metrics_only = make_key(settings, "prometheus", scopes=("metrics",))
    expired = make_key(settings, "old", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    client = client_of(settings)
    assert client.get("/metrics", headers={"x-api-key": metrics_only}).status_code == 200
    assert client.get("/v1/models", headers={"x-api-key": metrics_only}).status_code == 403
    assert client.get("/v1/models", headers={"x-api-key": expired}).status_code == 401


def test_revoked_within_the_refresh_and_others_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, api_keys_refresh_s=1.0)
    old, new = make_key(settings, "old"), make_key(settings, "new")
    client = client_of(settings)
    assert client.get("/v1/models", headers={"x-api-key": old}).status_code == 200
    keys.revoke(settings, "old", datetime.now(UTC))
    deadline = time.monotonic() + 10
    while client.get("/v1/models", headers={"x-api-key": old}).status_code == 200:
        assert client.get("/v1/models", headers={"x-api-key": new}).status_code == 200
        assert time.monotonic() < deadline
    assert client.get("/v1/models", headers={"x-api-key": old}).status_code == 401
    assert client.get("/v1/models", headers={"x-api-key": new}).status_code == 200


def test_keys_that_cannot_be_read_again_stay_in_force(caplog: pytest.LogCaptureFixture) -> None:
    plain, kept = keys.make("a", keys.SCOPES, datetime.now(UTC))
    answers: list[object] = [[kept], StorageError("down")]

    def load() -> list[keys.ApiKey]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    ring = Keyring(load, refresh_s=0.0)
    ring.refresh()
    time.sleep(0.01)
    ring.refresh()
    assert "down" in caplog.text
    assert ring.find(plain) == kept
    assert ring.find(plain + "x") is None


def test_a_clock_that_jumped_makes_keys_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring(list, refresh_s=30)
    ring.refresh()
    assert not ring.stale()
    for jump in (900, -900):  # thawed after a quarter of an hour; set back
        now = time.time()
        monkeypatch.setattr(time, "time", lambda at=now + jump: at)
        assert ring.stale()
        monkeypatch.undo()


def test_the_token_bucket() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 3, lambda: now[0])
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert limit.wait_s("a") == pytest.approx(0.5)
    assert limit.wait_s("b") == 0
    now[0] = 0.5
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") > 0
    now[0] = 1e6
    assert [limit.wait_s("a") for _ in range(4)][3] > 0  # a rest does not fill it above its size


def test_a_key_over_its_rate_is_told_when_to_come_back(home: tuple[Path, str]) -> None:
    client = client_of(Settings(home=home[0], api_rate_per_s=0.5, api_burst=2), home[1])
    replies = [client.get("/v1/models") for _ in range(3)]
    assert [one.status_code for one in replies] == [200, 200, 429]
    assert replies[2].headers["retry-after"] == "2"


def test_size_limits(home: tuple[Path, str]) -> None:
    client = client_of(Settings(home=home[0], api_max_body_bytes=2048), home[1])
    assert client.post(PREDICT, content=b" " * 2049).status_code == 413
    assert client.post(PREDICT, content=iter([b" " * 1024] * 3)).status_code == 413
    assert client.post(PREDICT, content=b"{}", headers={"content-length": "-1"}).status_code == 413
    assert client.get("/healthz", headers={"x": "y" * 40_000}).status_code == 431


def test_every_answer_is_hardened_and_named(client: TestClient) -> None:
    for path in ("/", "/nothing", "/docs"):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 32
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("nonsense", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
    ],
)
def test_the_caller_s_trace_goes_on(client: TestClient, sent: str, kept: bool) -> None:
    answered = client.get("/", headers={"traceparent": sent}).headers["traceparent"].split("-")
    assert (answered[1] == sent.split("-")[1] if "-" in sent else False) is kept
    assert answered[2] != "00f067aa0ba902b7"
    assert len(answered[1]) == 32


def test_origins_are_closed_unless_set(home: tuple[Path, str]) -> None:
    ask = {"origin": "https://maps.example", "access-control-request-method": "POST"}
    closed = client_of(Settings(home=home[0]))
    assert "access-control-allow-origin" not in closed.options(PREDICT, headers=ask).headers
    opened = client_of(Settings(home=home[0], api_cors_origins="https://maps.example"))
    assert opened.options(PREDICT, headers=ask).headers["access-control-allow-origin"] == "https://maps.example"
    other = opened.options(PREDICT, headers=ask | {"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


def test_an_exception_tells_the_caller_nothing_and_the_log_no_text(
    client: TestClient, home: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret 4711 from the request")

    monkeypatch.setattr(service_of(client).store, "find", fail)
    answer = client.post(PREDICT, json=ROW, headers={"x-api-key": home[1]})
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:cabstand:problem:internal-error"
    assert "4711" not in answer.text
    (record,) = [one for one in caplog.records if one.name == "cabstand.api.errors"]
    assert record.__dict__["request_id"] == answer.json()["request_id"]
    assert any("test_guard.py" in frame for frame in record.__dict__["frames"])
    assert "4711" not in json.dumps(record.__dict__, default=str)


def test_what_is_refused_is_counted_under_its_route(home: tuple[Path, str]) -> None:
    client = client_of(Settings(home=home[0], api_max_body_bytes=2048, api_rate_per_s=0.1, api_burst=3))
    key = {"x-api-key": home[1]}
    for path in (PREDICT, "/v1/x/predict", "/v1/y/predict"):
        client.post(path, json=ROW)
    client.put(PREDICT, json=ROW)
    client.get("/v1/models", headers={"x": "y" * 40_000})
    client.post(f"{PREDICT}/batch", content=b" " * 2049, headers=key)
    client.get("/nothing")
    for _ in range(3):
        client.get("/v1/models", headers=key)

    def n(route: str, status: int) -> float:
        labels = (("route", route), ("status", str(status)))
        return float(service_of(client).metrics.value("cabstand_requests_total", labels))

    assert n("/v1/{problem}/predict", 401) == 4
    assert n("/v1/models", 431) == 1
    assert n("/v1/{problem}/predict/batch", 413) == 1
    assert (n("/v1/models", 200), n("/v1/models", 429)) == (2, 1)
    assert n("other", 401) == 1


def counters(client: TestClient, key: str) -> dict[str, float]:
    """The counters at /metrics."""
    text = client.get("/metrics", headers={"x-api-key": key}).text
    lines = [line.rpartition(" ") for line in text.splitlines() if re.match(r"\w+_total\b", line)]
    return {name: float(value) for name, _, value in lines}


def test_counters_begin_at_0(home: tuple[Path, str]) -> None:
    """So that `increase()` sees the first error, refusal and prediction."""
    settings = Settings(home=home[0])
    client = client_of(settings, make_key(settings))
    before = counters(client, home[1])
    for path, row in ((PREDICT, ROW), ("/v1/hotspots/nearest", {"lat": 40.7527, "lon": -73.9772}), (PREDICT, {})):
        client.post(path, json=row)
    client.get("/nothing")
    client.get("/v1/models", headers={"x-api-key": "x"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_of(client).store, "find", lambda _: 1 / 0)
        client.post(f"{PREDICT}/batch", json={"rows": [ROW]})
    point(home[0] / "artifacts", "iris", champion="nothing")
    service_of(client).store.refresh()
    point(home[0] / "artifacts", "iris")
    after = counters(client, home[1])
    known = {name for name in after if not name.startswith("cabstand_requests_total")}
    assert known <= set(before)
    assert {before[name] for name in known} == {0}
    changed = {name.partition("{")[0]: after[name] for name in known if after[name]}
    assert set(changed) == {"cabstand_request_errors_total", "cabstand_predictions_total",
                            "cabstand_bundle_refused_total"}  # fmt: skip
    assert after['cabstand_request_errors_total{route="/v1/{problem}/predict/batch",class="5xx"}'] == 1
    assert after['cabstand_request_errors_total{route="/v1/models",class="4xx"}'] == 1


def test_client_s_metrics_have_bounded_labels(client: TestClient, home: tuple[Path, str]) -> None:
    for i in range(30):
        client.get(f"/random/{i}", headers={"x-api-key": home[1]})
        client.request(f"M{i}", "/healthz")
    text = client.get("/metrics", headers={"x-api-key": home[1]}).text
    assert "random" not in text
    assert text.count("cabstand_requests_total{") < 40
    assert 'le="+Inf"' in text
    assert "cabstand_bundle_age_seconds{" in text
