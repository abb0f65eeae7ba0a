"""What serves in a new process when a bundle of the pointer is missing, damaged or hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hostile
from bundles import point, small_bundle
from cabstand.api.store import REFUSED
from cabstand.io import s3, storage
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, service_of

BROKEN: dict[str, Callable[[Path], Any]] = {
    "missing": lambda a: hostile.folder(a).rename(a / "away"),
    "without a file": hostile.KINDS["no model"],
    "damaged": hostile.KINDS["wrong hash"],
    "hostile": hostile.KINDS["batch of one alone"],
    "manifest of something else": hostile.KINDS["another bundle's manifest"],
}
BEFORE = "its champion was refused, the one before serves"
ALONE = "its challenger was refused, the champion serves alone"


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Version v1 is good, and v2 will be broken."""
    small_bundle(tmp_path / "artifacts")
    small_bundle(tmp_path / "artifacts", version="v2", proved=False)
    return tmp_path / "artifacts"


def client(artifacts: Path) -> Any:
    """A new process's service."""
    return client_of(Settings(home=artifacts.parent, api_keys_required=False))


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_champion_falls_back_to_the_one_before(
    artifacts: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    BROKEN[how](artifacts)
    point(artifacts, champion="v2", previous="v1")
    found = client(artifacts)
    ready = found.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["versions"] == {"trip-duration": "v1"}
    assert ready.json()["faults"] == {"trip-duration": BEFORE}
    assert found.post(PREDICT, json=ROW).json()["version"] == "v1"
    assert "its champion v2 was refused" in caplog.text
    metrics = found.get("/metrics").text
    assert 'cabstand_bundle_fallback{problem="trip-duration",role="champion"} 1' in metrics
    assert 'cabstand_bundle_fallback{problem="trip-duration",role="challenger"} 0' in metrics
    assert 'cabstand_bundle_refused_total{problem="trip-duration"} 1' in metrics
    service_of(found).store.refresh()  # looked at again, it is as it was
    assert found.get("/readyz").json()["faults"] == {"trip-duration": BEFORE}
    assert found.post(PREDICT, json=ROW).json()["version"] == "v1"
    small_bundle(artifacts, version="v2")  # mended, under the same pointer
    service_of(found).store.refresh()
    assert found.get("/readyz").json() == {"status": "ready", "versions": {"trip-duration": "v2"}, "faults": {}}
    assert 'cabstand_bundle_fallback{problem="trip-duration",role="champion"} 0' in found.get("/metrics").text


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("new", [True, False])
def test_a_broken_challenger_leaves_the_champion_alone(artifacts: Path, how: str, new: bool) -> None:
    if not new:
        point(artifacts)
    found = client(artifacts)
    BROKEN[how](artifacts)
    point(artifacts, challenger="v2", share=1.0)
    service_of(found).store.refresh()
    assert found.get("/readyz").json()["faults"] == {"trip-duration": ALONE}
    answer = found.post(PREDICT, json=ROW).json()
    assert (answer["version"], answer["role"]) == ("v1", "champion")
    assert 'cabstand_bundle_fallback{problem="trip-duration",role="challenger"} 1' in found.get("/metrics").text
    small_bundle(artifacts, version="v2")
    service_of(found).store.refresh()
    assert found.post(PREDICT, json=ROW).json()["role"] == "challenger"
    assert found.get("/readyz").json()["faults"] == {}


def test_a_new_champion_serves_though_its_challenger_is_broken(artifacts: Path) -> None:
    point(artifacts)
    found = client(artifacts)
    small_bundle(artifacts, version="v3")
    point(artifacts, champion="v3", challenger="nothing", share=0.5, previous="v1")
    service_of(found).store.refresh()
    assert found.get("/readyz").json()["versions"] == {"trip-duration": "v3"}


def test_both_broken_is_said(artifacts: Path) -> None:
    point(artifacts, champion="nothing", previous="v1", challenger="nothing-else", share=0.5)
    assert client(artifacts).get("/readyz").json()["faults"] == {"trip-duration": f"{BEFORE}; {ALONE}"}


@pytest.mark.parametrize("previous", [None, "v2"])
def test_without_one_before_that_is_well_nothing_serves_and_why_is_said(artifacts: Path, previous: str | None) -> None:
    """So it is after a rollback, which leaves no previous champion: what was rolled back must not return."""
    BROKEN["damaged"](artifacts)
    point(artifacts, champion="nothing", previous=previous)
    found = client(artifacts)
    ready = found.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["errors"] == [{"problem": "trip-duration", "detail": "its pointer or bundle was refused"}]
    assert found.post(PREDICT, json=ROW).status_code == 503
    assert service_of(found).metrics.total(REFUSED) >= 1
    point(artifacts, champion="v1")
    service_of(found).store.refresh()
    assert found.post(PREDICT, json=ROW).status_code == 200


def test_an_outage_is_no_reason_to_fall_back(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bundle answers must not depend on how the store feels."""
    import boto3

    base = f"s3://{bucket}/fallback"
    for version in ("v1", "v2"):
        small_bundle(base, version=version)
    point(base, champion="v2", previous="v1")
    found = client_of(Settings(artifacts=base, api_keys_required=False), load=False)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    nobody, real = boto3.client("s3", endpoint_url="http://127.0.0.1:9"), s3.client
    read_changed = storage.read_changed

    def then_down(uri: str, *given: Any) -> Any:
        monkeypatch.setattr(s3, "client", real)
        content = read_changed(uri, *given)
        monkeypatch.setattr(s3, "client", lambda: nobody)
        return content

    with monkeypatch.context() as patch:
        patch.setattr(storage, "read_changed", then_down)
        service_of(found).store.refresh()
    assert service_of(found).store.faults == {"trip-duration": "its store could not be read"}
    monkeypatch.setattr(s3, "client", real)
    service_of(found).store.refresh()
    assert found.get("/readyz").json()["versions"] == {"trip-duration": "v2"}
