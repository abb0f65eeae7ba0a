"""Answers: right, in place, named by version, and refused without harm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from bundles import point, small_bundle
from cabstand.io import storage
from cabstand.modelling import bundle, catalog
from cabstand.modelling.fields import columns_of
from cabstand.modelling.predictor import Predictor
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, make_home, service_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("home")
    return folder, make_home(folder)


@pytest.fixture(scope="module")
def client(home: tuple[Path, str]) -> TestClient:
    return client_of(Settings(home=home[0]), home[1])


def rows_of(n: int, seed: int = 0) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    seconds = rng.integers(0, 86400 * 365, n)
    return [
        {
            "pickup_zone": int(rng.integers(1, 266)),
            "dropoff_zone": int(rng.integers(1, 266)),
            "pickup_at": str(np.datetime64("2023-01-01T00:00:00") + np.timedelta64(int(second), "s")),
        }
        for second in seconds
    ]


def test_answers_equal_the_bundle_s_own(client: TestClient, home: tuple[Path, str]) -> None:
    rows = rows_of(1000)
    reply = client.post(f"{PREDICT}/batch", json={"rows": rows}).json()
    base = home[0] / "artifacts" / "trip-duration" / "bundles" / "v1"
    manifest = bundle.parse_manifest((base / "manifest.json").read_bytes())
    files = {name: (base / name).read_bytes() for name in manifest.files}
    problem = catalog.find("trip-duration")
    expected = Predictor(problem, manifest, files).predict(columns_of(problem.fields, rows))
    for name, key in (("point", "duration_min"), ("low", "low"), ("high", "high")):
        np.testing.assert_allclose([one[key] for one in reply["answers"]], expected[name], atol=1e-6)
    assert client.post(PREDICT, json=rows[7]).json()["answer"] == reply["answers"][7]


def test_a_bad_row_is_named_and_the_others_are_answered(client: TestClient) -> None:
    reply = client.post(f"{PREDICT}/batch", json={"rows": [ROW, ROW | {"pickup_zone": 0}, {"x": 1}, ROW]}).json()
    assert [one is None for one in reply["answers"]] == [False, True, True, False]
    assert [one["row"] for one in reply["errors"]] == [1, 2]
    assert reply["errors"][0]["errors"][0]["pointer"] == "/pickup_zone"


@pytest.mark.parametrize("rows", [[], [ROW] * 1001, [{}], None, "x", [[]]])
def test_a_batch_that_cannot_be_answered(client: TestClient, rows: object) -> None:
    answer = client.post(f"{PREDICT}/batch", json={"rows": rows})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_classification_names_its_classes(client: TestClient) -> None:
    fields = catalog.find("iris").example()
    answer = client.post("/v1/iris/predict", json=fields).json()["answer"]
    assert answer["species"] in answer["probabilities"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


HOSTILE = [
    b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000, b'{"pickup_zone": NaN}',
    b'{"pickup_zone": Infinity}', b'{"pickup_zone": 1e400}', b'{"pickup_zone": 9' + b"9" * 5000 + b"}",
    b'{"pickup_at": "\\ud800"}', b'{"\\ud800": 1}', json.dumps(ROW | {"unknown": 1}).encode(),
    json.dumps(ROW | {"pickup_zone": "74"}).encode(), json.dumps(ROW | {"pickup_zone": 74.5}).encode(),
    json.dumps(ROW | {"pickup_zone": True}).encode(), json.dumps(ROW | {"pickup_at": "2023-02-29T00:00:00"}).encode(),
    json.dumps(ROW | {"pickup_at": "2023-02-28T00:00:00Z"}).encode(), json.dumps(ROW | {"pickup_at": None}).encode(),
    json.dumps({f"f{i}": i for i in range(50_000)}).encode(), b'{"pickup_zone": 1, "pickup_zone": {}}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("path", [PREDICT, f"{PREDICT}/batch", "/v1/hotspots/nearest"])
def test_hostile_bodies_are_the_caller_s_fault(client: TestClient, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert 400 <= answer.status_code < 500
    reply = answer.json()
    assert reply["request_id"] == answer.headers["x-request-id"]
    assert len(answer.content) < 30_000


def test_the_split_follows_the_share_and_the_key(home: tuple[Path, str], tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    small_bundle(artifacts, version="v1")
    small_bundle(artifacts, version="v2", bias=20.0)
    point(artifacts, champion="v1", challenger="v2", share=0.25)
    client = client_of(Settings(home=tmp_path, api_keys_required=False))
    reply = [client.post(PREDICT, json=ROW, headers={"x-routing-key": f"caller-{i}"}).json() for i in range(400)]
    challengers = [one for one in reply if one["role"] == "challenger"]
    assert 60 <= len(challengers) <= 140
    assert {one["version"] for one in challengers} == {"v2"}
    assert challengers[0]["answer"]["duration_min"] > 20
    again = [client.post(PREDICT, json=ROW, headers={"x-routing-key": f"caller-{i}"}).json()["role"] for i in range(50)]
    assert again == [one["role"] for one in reply[:50]]


def test_hotspots_near_a_place_and_nowhere(client: TestClient) -> None:
    reply = client.post("/v1/hotspots/nearest", json={"lat": 40.7527, "lon": -73.9772}).json()
    assert reply["answer"]["hotspot"] == 0
    assert 0 <= reply["answer"]["distance_m"] <= 100
    [known] = [one for one in client.get("/v1/hotspots").json()["features"] if one["id"] == 0]
    assert [reply["answer"]["lon"], reply["answer"]["lat"]] == known["geometry"]["coordinates"]
    rows = {"rows": [{"lat": 40.7069, "lon": -74.0113}, {"lat": 0, "lon": 0}, {"lat": 91, "lon": 0}]}
    batch = client.post("/v1/hotspots/nearest/batch", json=rows).json()
    assert [one and one["hotspot"] for one in batch["answers"]] == [1, None, None]
    assert [one["row"] for one in batch["errors"]] == [2]


def test_hotspots_as_geojson_by_box_and_page(client: TestClient) -> None:
    answer = client.get("/v1/hotspots", params={"limit": 1})
    assert answer.headers["content-type"] == "application/geo+json"
    reply = answer.json()
    assert [one["id"] for one in reply["features"]] == [0]
    rest = client.get("/v1/hotspots", params={"limit": 1, "after": reply["next"]}).json()
    assert [one["id"] for one in rest["features"]] == [1]
    assert rest["next"] is None
    south = client.get("/v1/hotspots", params={"bbox": "-74.1,40.6,-73.9,40.72"}).json()
    assert [one["id"] for one in south["features"]] == [1]
    west, low, east, high = south["features"][0]["bbox"]
    longitude, latitude = south["features"][0]["geometry"]["coordinates"]
    assert west < longitude < east
    assert low < latitude < high


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=1001", "limit=%EF%BC%91", "bbox=1,2,3", "bbox=nan,0,1,1", "bbox=3,0,1,1"],
)
def test_a_wrong_query_is_named(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/hotspots?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_an_unknown_problem_and_an_unknown_address(client: TestClient) -> None:
    assert client.post("/v1/nothing/predict", json=ROW).status_code == 404
    assert client.get("/v1/nothing").status_code == 404
    assert client.get(PREDICT).status_code == 405
    assert client.get("/v1/models/").status_code == 404  # no redirect built from the Host header


def test_models_tell_what_serves(client: TestClient) -> None:
    reply = {one["problem"]: one for one in client.get("/v1/models").json()["models"]}
    assert set(reply) == {"iris", "trip-duration"}
    assert reply["trip-duration"]["champion"]["n_hotspot_points"] > 0
    assert {one["name"] for one in reply["trip-duration"]["champion"]["fields"]} == set(ROW)


def test_a_figure_that_is_not_finite_is_null(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    model = service_of(client).store.find("trip-duration").champion
    monkeypatch.setattr(model, "answer", lambda rows: [{"duration_min": float("nan")} for _ in rows])
    assert client.post(PREDICT, json=ROW).json()["answer"] == {"duration_min": None}


def test_a_file_of_the_user_s_is_served(tmp_path: Path) -> None:
    source = Path("src/cabstand/modelling/problems/iris.py").resolve()
    own = tmp_path / "mine.py"
    own.write_text(source.read_text().replace('name="iris"', 'name="mine"'))
    small_bundle(tmp_path / "artifacts", str(own))
    point(tmp_path / "artifacts", "mine")
    client = client_of(Settings(home=tmp_path, api_keys_required=False, api_problems=str(own)))
    assert client.post("/v1/mine/predict", json=catalog.find("iris").example()).status_code == 200
    assert storage.exists(str(tmp_path / "artifacts" / "mine" / "pointer.json"))
