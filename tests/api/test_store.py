"""Bundles come and go; what serves stays whole."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

import hostile
from bundles import point, small_bundle
from cabstand.api.errors import ApiError
from cabstand.api.metrics import Metrics
from cabstand.api.store import REFUSED, UNREAD, ModelStore
from cabstand.errors import StorageError
from cabstand.io import s3, storage
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, hotspots_file, make_key, service_of


def store_of(
    artifacts: Path | str, *problems: str, refresh_s: float = 1.0, metrics: Metrics | None = None
) -> ModelStore:
    return ModelStore(str(artifacts), problems, refresh_s, metrics or Metrics())


def champion(store: ModelStore) -> str:
    return store.find("trip-duration").champion.version


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    small_bundle(tmp_path)
    point(tmp_path)
    return tmp_path


def test_a_swap(artifacts: Path) -> None:
    store = store_of(artifacts)
    store.refresh()
    small_bundle(artifacts, version="v2")
    before = store.find("trip-duration").champion
    point(artifacts, champion="v2")
    store.refresh()
    assert champion(store) == "v2"
    assert before.answer([ROW])  # a request that began with the old one ends with it


def test_an_unchanged_pointer_loads_nothing(artifacts: Path) -> None:
    store = store_of(artifacts)
    store.refresh()
    before = store.find("trip-duration")
    store.refresh()
    assert store.find("trip-duration") is before


def test_memory_is_given_back_after_a_swap_alone(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    store = store_of(artifacts)
    monkeypatch.setattr("cabstand.api.memory.give_back", lambda: given.append(champion(store)))
    store.refresh()
    store.refresh()
    small_bundle(artifacts, version="v2")
    point(artifacts, champion="v2")
    store.refresh()
    store.refresh()
    assert given == ["v2"]


def test_no_problem_is_unknown_until_all_were_looked_at(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_bundle(artifacts, "iris")
    point(artifacts, "iris")
    store = store_of(artifacts, "iris", "trip-duration")
    seen: list[int] = []
    read_changed = storage.read_changed

    def reading(uri: str, *given: Any) -> Any:
        if "trip-duration" in uri:
            assert set(store.served) == {"iris"}
            with pytest.raises(ApiError) as refused:
                store.find("trip-duration")
            seen.append(refused.value.status)
        return read_changed(uri, *given)

    monkeypatch.setattr(storage, "read_changed", reading)
    store.refresh()
    assert seen == [503]
    assert champion(store) == "v1"


FAULTS: dict[str, Callable[[Path], Any]] = {
    "a hostile bundle": hostile.KINDS["model cut short"],
    "pointer to nothing": lambda a: point(a, champion="v3"),
    "broken pointer": lambda a: (a / "trip-duration" / "pointer.json").write_bytes(b"\xff"),
    "no pointer": lambda a: (a / "trip-duration" / "pointer.json").unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_refused_and_the_old_one_serves_on(
    artifacts: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    store = store_of(artifacts, "trip-duration", metrics=metrics)
    store.refresh()
    small_bundle(artifacts, version="v2", extra={"hotspots.npz": hotspots_file()})
    point(artifacts, champion="v2")
    FAULTS[fault](artifacts)
    store.refresh()
    assert champion(store) == "v1"
    assert store.find("trip-duration").champion.answer([ROW])
    assert metrics.value(REFUSED, (("problem", "trip-duration"),)) == 1
    assert "the old one serves on" in caplog.text
    # Mended, it serves.
    small_bundle(artifacts, version="v4")
    (artifacts / "trip-duration" / "pointer.json").unlink(missing_ok=True)
    point(artifacts, champion="v4")
    store.refresh()
    assert champion(store) == "v4"


def test_a_store_that_cannot_be_read_refuses_nothing(artifacts: Path) -> None:
    """An outage is not a bad bundle: the two have different causes, and metrics of their own."""
    metrics = Metrics()
    store = store_of(artifacts, "trip-duration", metrics=metrics)
    store.refresh()
    small_bundle(artifacts, version="v2")
    point(artifacts, champion="v2")
    manifest = artifacts / "trip-duration" / "bundles" / "v2" / "manifest.json"
    manifest.rename(manifest.with_suffix(".away"))
    manifest.mkdir()  # there, and no file system reads it
    store.refresh()
    assert champion(store) == "v1"
    assert (metrics.total(REFUSED), metrics.total(UNREAD)) == (0, 1)
    manifest.rmdir()
    manifest.with_suffix(".away").rename(manifest)
    store.refresh()
    assert champion(store) == "v2"


def due_after(store: ModelStore, seconds: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a refresh will be due after so long."""
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + seconds)
        return store.due()


def test_a_failed_look_is_repeated_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(tmp_path, "trip-duration", refresh_s=60.0)
    store.refresh()
    assert not store.due()
    assert due_after(store, 6, monkeypatch)


def test_while_something_serves_a_bad_bundle_is_not_read_sooner(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    store = store_of(artifacts, "trip-duration", refresh_s=60.0, metrics=metrics)
    store.refresh()
    point(artifacts, champion="nothing")
    store.refresh()
    assert metrics.total(REFUSED) == 1
    assert not due_after(store, 6, monkeypatch)
    assert due_after(store, 61, monkeypatch)


def test_a_look_that_could_not_end_is_given_time(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a function that was frozen: only what happens within a request happens at all."""
    store = store_of(artifacts, refresh_s=60.0)
    store.refresh()
    store.start()
    small_bundle(artifacts, version="v2")
    point(artifacts, champion="v2")
    store.catch_up(5.0)
    assert champion(store) == "v1"  # looked at a moment ago
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 900)
    store.catch_up(5.0)
    assert champion(store) == "v2"
    started = time.monotonic()
    store.catch_up(5.0)
    assert time.monotonic() - started < 4  # nothing to wait for


def test_requests_do_not_wait_again_and_again_in_an_outage(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(artifacts, refresh_s=60.0)
    store.refresh()
    store.start()
    over = threading.Event()
    monkeypatch.setattr(storage, "read_changed", lambda *_: over.wait(60) and None)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 900)
    started = time.monotonic()
    for _ in range(40):
        store.catch_up(0.25)
    assert 0.9 < time.monotonic() - started < 5  # and not 10
    over.set()


def test_what_is_too_large_is_not_read(artifacts: Path) -> None:
    base = artifacts / "trip-duration" / "bundles" / "v1"
    with (base / "model.onnx").open("r+b") as file:
        file.truncate(1 << 40)  # a hole
    with (artifacts / "trip-duration" / "pointer.json").open("r+b") as file:
        whole = file.read()
        file.truncate(1 << 40)
    metrics = Metrics()
    store = store_of(artifacts, metrics=metrics)
    store.refresh()
    (artifacts / "trip-duration" / "pointer.json").write_bytes(whole)
    store.refresh()
    assert metrics.total(REFUSED) == 2
    assert not store.served


@settings_of_hypothesis(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_of_any_file_changed_is_refused_or_serves(artifacts: Path, data: st.DataObject) -> None:
    """Hashed or not: the thread that looks never dies of it, and what serves answers."""
    name = data.draw(st.sampled_from(["pointer.json", "manifest.json", "model.onnx", "assets.npz"]))
    folder = artifacts / "trip-duration"
    path = folder / name if name == "pointer.json" else folder / "bundles" / "v1" / name
    whole = path.read_bytes()
    manifest = (folder / "bundles" / "v1" / "manifest.json").read_bytes()
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.just(len(changed)) | st.integers(1, len(changed)))])
    try:
        if name.endswith("json"):
            path.write_bytes(cut)
        else:
            hostile.rewrite(artifacts, name, cut, version="v1")
        store = store_of(artifacts, "trip-duration")
        store.refresh()
        for served in store.served.values():
            assert len(served.champion.answer([ROW])) == 1
    finally:
        path.write_bytes(whole)
        (folder / "bundles" / "v1" / "manifest.json").write_bytes(manifest)


def test_not_ready_then_ready(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, api_problems="trip-duration")
    client = client_of(settings, make_key(settings))
    assert client.get("/healthz").status_code == 200
    for answer in (client.get("/readyz"), client.post(PREDICT, json=ROW), client.get("/v1/hotspots")):
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    small_bundle(tmp_path / "artifacts")
    point(tmp_path / "artifacts")
    service_of(client).store.refresh()
    assert client.get("/readyz").json()["versions"] == {"trip-duration": "v1"}
    assert client.get("/v1/hotspots").status_code == 404  # this bundle has none


@pytest.mark.parametrize("problems", ["", "trip-duration"])
@pytest.mark.parametrize("gone", ["pointer.json", "trip-duration", "artifacts"])
def test_what_was_deleted_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, problems: str, gone: str) -> None:
    artifacts = tmp_path / "artifacts"
    small_bundle(artifacts)
    point(artifacts)
    client = client_of(Settings(home=tmp_path, api_problems=problems, api_keys_required=False))
    store = service_of(client).store
    assert client.get("/readyz").json()["faults"] == {}
    deleted = {"pointer.json": artifacts / "trip-duration" / gone, "trip-duration": artifacts / gone}
    deleted.get(gone, artifacts).rename(tmp_path / "away")
    store.refresh()
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["versions"] == {"trip-duration": "v1"}
    assert ready.json()["faults"] == {"trip-duration": "its pointer is gone"}
    assert "trip-duration: its pointer is gone, the old one serves on" in caplog.text
    assert client.post(PREDICT, json=ROW).status_code == 200
    (tmp_path / "away").rename(deleted.get(gone, artifacts))
    store.refresh()
    assert client.get("/readyz").json()["faults"] == {}


def test_a_refused_bundle_is_said(artifacts: Path) -> None:
    store = store_of(artifacts)
    store.refresh()
    point(artifacts, champion="nothing")
    store.refresh()
    assert store.faults == {"trip-duration": "its pointer or bundle was refused"}


def test_a_store_that_cannot_be_listed_is_said(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(artifacts)
    store.refresh()

    def fail(_: str) -> list[str]:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "list_under", fail)
        store.refresh()
    assert store.faults == {"trip-duration": "its store could not be read"}
    store.refresh()
    assert store.faults == {}


def test_an_empty_store_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(tmp_path / "artifacts")
    store.refresh()
    store.refresh()
    assert caplog.text.count(f"no pointer below {tmp_path / 'artifacts'}") == 1


def test_from_s3_through_an_outage(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = f"s3://{bucket}/store"
    small_bundle(base)
    point(base)
    store = store_of(base)
    import boto3

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    nobody = boto3.client("s3", endpoint_url="http://127.0.0.1:9")
    with monkeypatch.context() as outage:
        outage.setattr(s3, "client", lambda: nobody)
        store.refresh()
        assert not store.served
    store.refresh()
    assert champion(store) == "v1"
    with monkeypatch.context() as outage:
        outage.setattr(s3, "client", lambda: nobody)
        store.refresh()
    assert champion(store) == "v1"  # down again, it serves on
    store.refresh()
    tag = store.find("trip-duration").tag
    assert storage.read_changed(f"{base}/trip-duration/pointer.json", tag) is None
    small_bundle(base, version="v2")
    point(base, champion="v2")
    store.refresh()
    assert champion(store) == "v2"


def test_the_pointer_of_another_problem_s_file_is_not_served(artifacts: Path) -> None:
    pointer = json.loads((artifacts / "trip-duration" / "pointer.json").read_text())
    (artifacts / "iris").mkdir()
    (artifacts / "iris" / "pointer.json").write_text(json.dumps(pointer))
    store = store_of(artifacts)
    store.refresh()
    assert set(store.served) == {"trip-duration"}
